/** Keeps the server and the load on a core each, so that neither takes time from the other, where `taskset` can. */
import { spawnSync } from 'node:child_process'

export interface Pinning {
  /** Words before the command of each process. */
  readonly server: readonly string[]
  readonly load: readonly string[]
  readonly about: string
}

export function choosePinning(): Pinning {
  const server = ['taskset', '-c', '0']
  const load = ['taskset', '-c', '1']
  if (works(server) && works(load)) return { server, load, about: 'server on core 0, load on core 1' }
  return { server: [], load: [], about: 'server and load not pinned to cores (no taskset, or no two cores)' }
}

/** The same words for another core; none where processes are not pinned. */
export function onCore(words: readonly string[], core: number): readonly string[] {
  return words.length === 0 ? [] : [...words.slice(0, -1), String(core)]
}

function works([command, ...args]: readonly string[]): boolean {
  return spawnSync(command!, [...args, 'true'], { stdio: 'ignore' }).status === 0
}
