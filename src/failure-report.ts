/**
 * Converts failures of the service itself to lines for its operator. The first failure of a kind is printed in full.
 * While it repeats, one line a minute has the number of repetitions, so that the log does not fill a disk that is full
 * already.
 */

const QUIET_MS = 60_000
/**
 * Limit of kinds that are remembered. Messages may contain changing numbers, so the number of kinds is not bounded by
 * itself.
 */
const KINDS_MAX = 100

export function failureReporter(
  write: (line: string) => void,
  nowMs: () => number,
): (error: unknown) => void {
  const kinds = new Map<string, { printedMs: number; unprinted: number }>()
  return (error) => {
    const now = nowMs()
    const message = error instanceof Error ? error.message : String(error)
    const known = kinds.get(message)
    if (known !== undefined && now - known.printedMs < QUIET_MS) {
      known.unprinted++
      return
    }
    if (known === undefined && kinds.size >= KINDS_MAX) kinds.clear()
    kinds.set(message, { printedMs: now, unprinted: 0 })
    const time = new Date(now).toISOString()
    if (known !== undefined)
      write(`${time} ${message} (${known.unprinted + 1} times since it was last printed)\n`)
    else write(`${time} ${error instanceof Error ? (error.stack ?? message) : message}\n`)
  }
}
