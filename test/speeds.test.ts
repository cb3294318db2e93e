/** Every test file runs at exactly one speed, and every long form runs with the proofs (support/speeds.ts). */

import { readdirSync, readFileSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { MAY_RUN_AGAIN, proven } from './support/proven.ts'
import {
  ALONE,
  CLIENTS,
  ENGINES,
  FAULTS,
  KAFKA_PROOFS,
  PROCESSES,
  PROOFS,
  TWO_FORMS,
} from './support/speeds.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FILES = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => `test/${path.replaceAll('\\', '/')}`)
  .sort()

const known = new Map<string, ReadonlySet<string>>()

function filesOf(glob: string): ReadonlySet<string> {
  const found = known.get(glob) ?? new Set(FILES.filter((path) => matchesGlob(path, glob)))
  known.set(glob, found)
  return found
}

const matching = (globs: readonly string[]) =>
  FILES.filter((path) => globs.some((glob) => filesOf(glob).has(path)))

test('every file is quick, or a proof of one group', () => {
  const proofs = [CLIENTS, PROCESSES, ALONE, FAULTS, ENGINES, KAFKA_PROOFS].flatMap(matching)
  expect(proofs.sort()).toEqual(matching(PROOFS))
  expect(FILES.length).toBeGreaterThan(proofs.length)
})

test('every pattern of the lists matches a file', () => {
  for (const glob of [...PROOFS, ...TWO_FORMS]) expect(matching([glob]), glob).not.toEqual([])
})

test('a quick file has a long form exactly if it is in the list of those', () => {
  const hasLongForm = (path: string) =>
    /import \{[^}]*\b(effort|fuzz)\b[^}]*\} from/.test(readFileSync(join(ROOT, path), 'utf8'))
  const proofs = matching(PROOFS)
  expect(matching(TWO_FORMS)).toEqual(FILES.filter((path) => !proofs.includes(path) && hasLongForm(path)))
})

const COUNT_NO_EVENTS = ['test/faults/soak.test.ts']

test('what proofs of faults count is marked, so that such a failure is not repeated', () => {
  const unmarked = matching([...FAULTS, ...KAFKA_PROOFS]).filter(
    (path) => !/\b(proven|settled|untilSettled)\(/.test(readFileSync(join(ROOT, path), 'utf8')),
  )
  expect(unmarked).toEqual(COUNT_NO_EVENTS)
})

test.each([
  ['Test timed out in 900000ms', true],
  ['expected 0 to be greater than 0', true],
  ['seed 7, flip 3\nproof failed: rows in order: expected 1 to be 2', false],
])('after %j a test may run again: %s', async (message, mayRunAgain) => {
  expect(MAY_RUN_AGAIN.test(message)).toBe(mayRunAgain)
  const check = async () => {
    throw new Error(message)
  }
  await expect(proven(check)).rejects.toSatisfy(({ message: marked }) => !MAY_RUN_AGAIN.test(marked))
})

test('the two configurations use the lists', () => {
  const quick = readFileSync(join(ROOT, 'vitest.config.ts'), 'utf8')
  expect(quick).toContain('exclude: [...configDefaults.exclude, ...PROOFS],')
  const proofs = readFileSync(join(ROOT, 'vitest.proofs.config.ts'), 'utf8')
  for (const list of ['CLIENTS', 'PROCESSES', '[...FAULTS, ...TWO_FORMS]', 'ALONE']) {
    expect(proofs).toContain(`include: ${list}, `)
  }
})
