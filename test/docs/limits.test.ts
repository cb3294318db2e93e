/** docs/operations.md has a row for every limit, with its default. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import { PROJECT_FOLDER } from '../support/service-process.ts'

const operations = readFileSync(join(PROJECT_FOLDER, 'docs', 'operations.md'), 'utf8')

test.each(Object.values(LIMITS))('$flag has a row with its default', ({ flag, fallback }) => {
  const row = operations.split('\n').find((line) => line.startsWith(`| \`--${flag}\` |`))
  expect(row?.split('|')[2]?.trim()).toBe(fallback)
})
