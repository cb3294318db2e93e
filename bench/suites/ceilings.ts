/** Ceilings that are no servers: LevelDB alone, and the loops of decoding and encoding alone. Suites ask for them by name. */
import { LOOPS } from '../probes/loops.ts'
import { rawBlockScan, rawBlockWrites, rawBlockWrites16MiB } from '../probes/raw-level.ts'
import type { Case } from '../sample.ts'

const CEILINGS: readonly Case[] = [rawBlockWrites, rawBlockWrites16MiB, rawBlockScan, ...LOOPS]

/** Those of the names that exist. */
export function ceilings(...names: string[]): Case[] {
  return CEILINGS.filter(({ name }) => names.includes(name))
}
