/** Ceilings that are no servers: LevelDB alone, and the loops of decoding and encoding alone. Suites ask for them by name. */
import type { Case } from '../sample.ts'

const CEILINGS: readonly Case[] = []

/** Those of the names that exist. */
export function ceilings(...names: string[]): Case[] {
  return CEILINGS.filter(({ name }) => names.includes(name))
}
