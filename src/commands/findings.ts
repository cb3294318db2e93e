/** The findings of a command, as lines for the operator. */
import { describeKey } from '../../storage/level/key-description.ts'
import type { Damage } from '../../storage/level/scrub.ts'
import type { FileDamage } from '../../storage/level-files/file-damage.ts'
import type { CatalogContent } from './catalog-content.ts'

/** Printed findings; the rest is only counted. */
const PRINTED_MAX = 1000

export class Findings {
  readonly #print: (text: string) => void
  #count = 0

  constructor(print: (text: string) => void) {
    this.#print = print
  }

  get count(): number {
    return this.#count
  }

  add(text: string): void {
    this.#count++
    if (this.#count <= PRINTED_MAX) this.#print(`damaged: ${text}\n`)
    else if (this.#count === PRINTED_MAX + 1) this.#print('damaged: … more, which are counted only\n')
  }
}

export function fileDamageText({ file, offset, reason, keys }: FileDamage): string {
  const concerned = keys === undefined ? '' : ` (keys up to ${describeKey(keys.upTo)})`
  return `store/${file} at byte ${offset}: ${reason}${concerned}`
}

/** The last write does not match its checksum, and no later one shows whether it was acknowledged. */
export function doubtfulEndText(damage: FileDamage): string {
  return `${fileDamageText(damage)}. It is the last write: if a power cut tore it, it had not been answered, and starting leaves it out`
}

export function damageText(damage: Damage, catalog: CatalogContent): string {
  const { log, fromSequence: from, toSequence: to, reason } = damage
  if (log === undefined) return reason
  const name = catalog.nameOfLog(log)
  if (from === undefined) return `${name}: ${reason}`
  return `${name}, ${sequencesText(from, to)}: ${reason}`
}

/** `to` is undefined where the last one is not known. */
export function sequencesText(from: number, to: number | undefined): string {
  if (to === undefined) return `sequences from ${from} on`
  return to <= from ? `sequence ${from}` : `sequences ${from} to ${to}`
}
