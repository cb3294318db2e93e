/** Comparison of two answers. They are equal byte for byte, except sums and averages of floating-point numbers. */
import type { RecordedAnswer } from './pg-answers.ts'

/** The order of additions decides about the last bits. */
const TOLERANCE: Readonly<Record<string, number>> = { real: 1e-5, 'double precision': 1e-12 }

/** `given`, with those floating-point values replaced by the expected ones that are as good as equal. */
export function settled(given: RecordedAnswer, expected: RecordedAnswer): RecordedAnswer {
  if ('error' in given || 'error' in expected || !/\b(?:sum|avg)\(/.test(expected.sql)) return given
  const rows = given.rows.map((row, at) =>
    row.map((value, column) => {
      const wanted = expected.rows[at]?.[column]
      const tolerance = TOLERANCE[expected.types[column] ?? '']
      if (wanted === undefined || tolerance === undefined) return value
      const [a, b] = [Number(value), Number(wanted)]
      return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b)) ? wanted : value
    }),
  )
  return { ...given, rows }
}

/** Without the text of an error: only that there is one counts. */
export function compared(answer: RecordedAnswer): unknown {
  return 'error' in answer ? { sql: answer.sql, fails: true } : answer
}

/** With the rows in an order of their own. */
export function sorted(answer: RecordedAnswer): RecordedAnswer {
  if ('error' in answer) return answer
  const rows = [...answer.rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return { ...answer, rows }
}
