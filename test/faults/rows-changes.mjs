/** The changes of group `n` of a row store, the same at every call: for the process that is killed and for the test that checks it. */

export const LIMITS = { writeBytes: 100_000, stageBytes: 60_000 }
export const TABLES = [1, 2]
export const KEYS = 400

export function changesOf(n) {
  let state = (n * 2_654_435_761) >>> 0
  const below = (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const changes = []
  if (below(40) === 0) changes.push({ op: 'clear', table: TABLES[below(2)] })
  const count = below(10) === 0 ? 1_500 : 1 + below(30)
  for (let i = 0; i < count; i++) {
    const table = TABLES[below(2)]
    const key = [String(below(KEYS))]
    if (below(5) === 0) changes.push({ op: 'remove', table, key })
    else changes.push({ op: 'put', table, key, row: [key[0], `${n} ${i}`, below(3) === 0 ? null : 'text'] })
  }
  return changes
}
