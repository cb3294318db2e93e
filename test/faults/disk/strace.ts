/** Makes system calls of a running process fail, from a moment until another. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { WatchedProcess } from '../../support/service-process.ts'

const run = promisify(execFile)

export interface Fault {
  /** As strace names them, with commas. */
  readonly calls: string
  readonly error: 'EIO' | 'ENOSPC'
  /** Only on this file. */
  readonly path?: string
}

/** Why faults cannot be injected here, or undefined: tried out on a process that does nothing. */
export async function straceProblem(): Promise<string | undefined> {
  try {
    await run('strace', ['--version'])
  } catch {
    return 'there is no strace on this machine'
  }
  try {
    await run('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO', 'true'])
    return undefined
  } catch (error) {
    return `strace may not trace here (${String((error as { stderr?: string }).stderr).trim()})`
  }
}

const DETACH_MS_MAX = 3_000

/** Resolves once calls fail; ends the failing when it is asked to. */
export async function injectFault(
  pid: number,
  { calls, error, path }: Fault,
): Promise<{ end(): Promise<void> }> {
  const strace = new WatchedProcess('strace', [
    '-f',
    '-p',
    String(pid),
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:error=${error}`,
    ...(path === undefined ? [] : ['-P', path]),
  ])
  for (let waited = 0; !/attached/.test(strace.stderr); waited += 20) {
    if (waited > 60_000) throw new Error(`strace did not attach: ${strace.stderr}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    async end() {
      strace.signal('SIGINT')
      // It waits for ever for a process that was killed while it stood in a call. Without its tracer that process goes.
      const timer = setTimeout(() => strace.signal('SIGKILL'), DETACH_MS_MAX)
      await strace.exited
      clearTimeout(timer)
    },
  }
}

/** LevelDB's write-ahead log of a running service. */
export function currentWal(dataFolder: string): string {
  const store = join(dataFolder, 'store')
  const logs = readdirSync(store).filter((name) => name.endsWith('.log'))
  return join(store, logs.sort().at(-1)!)
}
