/** A file system that really fills: a tmpfs of a few MiB, mounted where the test asks for it. */
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from '../../support/service-process.ts'

const run = promisify(execFile)
const MIB = 1024 * 1024

export class SmallDisk {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** Or why there cannot be one here. Gone when the test is over; a service on it has to have ended by then. */
  static async mount(mib: number): Promise<SmallDisk | string> {
    if (process.platform !== 'linux') return 'small file systems are mounted on Linux only'
    const folder = join(await temporaryFolder(), 'disk')
    mkdirSync(folder)
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder])
    } catch (error) {
      return `this user may not mount a tmpfs (${String((error as { stderr?: string }).stderr).trim()})`
    }
    onTestFinished(async () => {
      await run('umount', ['--lazy', folder])
    })
    return new SmallDisk(folder)
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder)
    return bavail * bsize
  }

  /** Takes disk space that `clear` frees again. */
  fill(mib: number, name = 'ballast'): void {
    writeFileSync(join(this.folder, name), Buffer.alloc(mib * MIB, 'x'))
  }

  clear(name = 'ballast'): void {
    rmSync(join(this.folder, name))
  }
}
