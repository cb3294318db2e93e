/** A disk that failed is taken for sound when it takes what opening the store writes: that much, and no more. */
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { probeDisk } from '../../storage/level/probe.ts'
import { SmallDisk } from '../faults/disk/small-disk.ts'
import { temporaryFolder } from '../support/service-process.ts'

const KIB = 1024
const MIB = 1024 * KIB

function makeStore(data: string, logBytes: number): void {
  mkdirSync(join(data, 'store'), { recursive: true })
  writeFileSync(join(data, 'store', '000005.log'), '')
  truncateSync(join(data, 'store', '000005.log'), logBytes) // uses no space on a tmpfs
}

test.for([
  { logBytes: 0, freeKib: 512, ready: true },
  { logBytes: 0, freeKib: 64, ready: false },
  { logBytes: 2 * MIB, freeKib: 2 * 1024 + 512, ready: true },
  { logBytes: 2 * MIB, freeKib: 2 * 1024, ready: false },
])(
  'with $logBytes bytes in the log and $freeKib KiB free: $ready',
  async ({ logBytes, freeKib, ready }, { skip }) => {
    const disk = await SmallDisk.mount(16)
    if (typeof disk === 'string') return skip(disk)
    const data = join(disk.folder, 'data')
    makeStore(data, logBytes)
    writeFileSync(join(disk.folder, 'ballast'), Buffer.alloc(disk.freeBytes - freeKib * KIB))
    const probed = probeDisk(data)
    if (ready) await expect(probed).resolves.toBeUndefined()
    else await expect(probed).rejects.toMatchObject({ code: 'full' })
    expect(readdirSync(data)).toEqual(['store'])
  },
)

test('a file system that has no place for the files that opening makes is not ready', async ({ skip }) => {
  const disk = await SmallDisk.mount(16)
  if (typeof disk === 'string') return skip(disk)
  const data = join(disk.folder, 'data')
  makeStore(data, 0)
  // The root folder, data, store and the log take four.
  await promisify(execFile)('mount', ['-o', 'remount,nr_inodes=6', disk.folder])
  await expect(probeDisk(data)).rejects.toMatchObject({ code: 'full' })
  await promisify(execFile)('mount', ['-o', 'remount,nr_inodes=8', disk.folder])
  await expect(probeDisk(data)).resolves.toBeUndefined()
})

test('one that was made read-only is not ready', async ({ skip }) => {
  const disk = await SmallDisk.mount(16)
  if (typeof disk === 'string') return skip(disk)
  const data = join(disk.folder, 'data')
  makeStore(data, 0)
  await promisify(execFile)('mount', ['-o', 'remount,ro', disk.folder])
  await expect(probeDisk(data)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/EROFS/),
  })
  await promisify(execFile)('mount', ['-o', 'remount,rw', disk.folder])
  await expect(probeDisk(data)).resolves.toBeUndefined()
})

test('nor is a folder that is gone', async () => {
  await expect(probeDisk(join(await temporaryFolder(), 'nope'))).rejects.toMatchObject({
    code: 'unavailable',
  })
})
