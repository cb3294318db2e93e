/** Ids of resources: UUIDs of version 4, lower case. */
import { hash } from 'node:crypto'
import { newJobId } from '../jobs/job-id.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** A new id. It ends with every source of randomness. */
export function newUuid(random: () => number, isInUse: (id: string) => boolean): string {
  return uuidOf(newJobId(random, (digits) => isInUse(uuidOf(digits))))
}

/** The id of something that is not stored before it is changed. Equal parts give an equal id. Parts contain no U+0000. */
export function derivedUuid(...parts: readonly (string | number)[]): string {
  return uuidOf(hash('sha256', parts.join('\u0000'), 'hex').slice(0, 32))
}

function uuidOf(digits: string): string {
  const variant = '89ab'[Number.parseInt(digits[16] as string, 16) % 4]
  const part = (start: number, end: number) => digits.slice(start, end)
  return `${part(0, 8)}-${part(8, 12)}-4${part(13, 16)}-${variant}${part(17, 20)}-${part(20, 32)}`
}
