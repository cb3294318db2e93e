/** The load of bench/load/open-loop-process.ts, built, and what a process looks like from outside. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { OpenLoopJob, OpenLoopResult } from '../../bench/load/open-loop.ts'
import { PROJECT_FOLDER } from './service-process.ts'

const run = promisify(execFile)
const PROCESS = join(PROJECT_FOLDER, 'dist', 'bench', 'load', 'open-loop-process.js')

/** Rejects if it takes a minute longer than it should. */
export async function openLoop(job: OpenLoopJob): Promise<OpenLoopResult> {
  const timeout = (job.seconds + 60) * 1000
  const { stdout } = await run(process.execPath, [PROCESS, JSON.stringify(job)], { timeout })
  return JSON.parse(stdout) as OpenLoopResult
}

/** The processes are watched through /proc: why that cannot be done here, or undefined. */
export function procProblem(): string | undefined {
  return process.platform === 'linux' ? undefined : 'there is no /proc here to watch the service through'
}

export function rssMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024
}

/** Descriptors that are open. */
export function handles(pid: number): { sockets: number; others: number } {
  const count = { sockets: 0, others: 0 }
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${name}`).startsWith('socket:')) count.sockets++
      else count.others++
    } catch {
      // closed meanwhile
    }
  }
  return count
}

export function handlesMax(pid: number): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))![1])
}
