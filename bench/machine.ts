/** What a result depends on and a reader cannot know: the machine, and what ran on it. */
import { spawnSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { ROOT } from './paths.ts'
import type { LoadTool } from './processes/requests.ts'

export interface MachineFacts {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
  readonly filesystem: string
  readonly commit: string
  /** Whether the working tree differs from it. */
  readonly changed: boolean
  readonly loadTool: LoadTool
  readonly pinning: string
  /** Of one minute, when the bench started: near 0 on a machine that does nothing else. */
  readonly loadAverage: number
}

export function machineFacts(dataDir: string, loadTool: LoadTool, pinning: string): MachineFacts {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    filesystem: filesystemOf(dataDir),
    commit: git('rev-parse', '--short', 'HEAD') ?? 'unknown',
    changed: git('status', '--porcelain', '--untracked-files=no') !== '',
    loadTool,
    pinning,
    loadAverage: Number(loadavg()[0]!.toFixed(2)),
  }
}

export function describeMachine(facts: MachineFacts): string {
  const { cpu, cores, memoryGb, kernel, node, filesystem, commit, changed } = facts
  const { loadTool, pinning, loadAverage } = facts
  return [
    `${cores} × ${cpu}, ${memoryGb} GB, ${kernel}, node ${node}, data on ${filesystem}`,
    `commit ${commit}${changed ? ' with changes' : ''}, load from ${loadTool}, ${pinning}, load average ${loadAverage}`,
  ].join('\n')
}

/** Type of the file system, by the longest mount point above the folder. */
function filesystemOf(folder: string): string {
  try {
    const path = realpathSync(folder)
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    const above = mounts
      .map((line) => line.split(' '))
      .map(([, point = '', type = '']) => ({ point: point.replaceAll('\\040', ' '), type }))
      .filter(({ point }) => path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`))
    // Of two at the same point the later one is seen.
    return above.reduce((best, one) => (one.point.length >= best.point.length ? one : best)).type
  } catch {
    return 'an unknown file system'
  }
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}
