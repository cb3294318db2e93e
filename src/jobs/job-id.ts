/** Ids of jobs: 32 lower-case hexadecimal digits. */
import type { JobId } from './worker/job-worker-protocol.ts'

const DIGITS = 32
/** Digits for which one random number has enough bits. */
const DIGITS_AT_A_TIME = 8
const END = 1n << 128n

/** A new id. If it is in use, the next free one, so that it ends with every source of randomness. */
export function newJobId(random: () => number, isInUse: (jid: JobId) => boolean): JobId {
  let digits = ''
  while (digits.length < DIGITS) {
    const part = Math.floor(random() * 16 ** DIGITS_AT_A_TIME)
    digits += Math.min(part, 16 ** DIGITS_AT_A_TIME - 1)
      .toString(16)
      .padStart(DIGITS_AT_A_TIME, '0')
  }
  let id = BigInt(`0x${digits}`)
  const text = () => id.toString(16).padStart(DIGITS, '0')
  while (isInUse(text())) id = (id + 1n) % END
  return text()
}
