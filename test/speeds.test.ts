/** Every test file runs at exactly one speed, and every long form runs with the proofs (support/speeds.ts). */
import { readdirSync, readFileSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ALONE, CLIENTS, FAULTS, PROCESSES, PROOFS, TWO_FORMS } from './support/speeds.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FILES = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => `test/${path.replaceAll('\\', '/')}`)
  .sort()

const matching = (globs: readonly string[]) =>
  FILES.filter((path) => globs.some((glob) => matchesGlob(path, glob)))

test('every file is quick, or a proof of one group', () => {
  const proofs = [CLIENTS, PROCESSES, ALONE, FAULTS].flatMap(matching)
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

test('the two configurations use the lists', () => {
  const quick = readFileSync(join(ROOT, 'vitest.config.ts'), 'utf8')
  expect(quick).toContain('exclude: [...configDefaults.exclude, ...PROOFS],')
  const proofs = readFileSync(join(ROOT, 'vitest.proofs.config.ts'), 'utf8')
  for (const list of ['CLIENTS', 'PROCESSES', '[...FAULTS, ...TWO_FORMS]', 'ALONE']) {
    expect(proofs).toContain(`include: ${list}, `)
  }
})
