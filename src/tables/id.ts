/** Ids in the form of a UUID (version 8: the content is the service's own), derived from what they identify. */
import { hash } from 'node:crypto'

/** Equal parts give an equal id. Parts contain no U+0000. */
export function idFrom(...parts: readonly (string | number)[]): string {
  const digits = [...hash('sha256', parts.join('\u0000'), 'hex').slice(0, 32)]
  digits[12] = '8'
  digits[16] = '89ab'[Number.parseInt(digits[16] as string, 16) % 4] as string
  const text = digits.join('')
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join(
    '-',
  )
}
