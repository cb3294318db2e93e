/**
 * The proofs: `npm run test:proofs`, or some of them: `npm run test:proofs -- kill`, `npm run test:proofs -- --project clients`.
 *
 * Vitest runs the groups one after the other. Within a group several files run at once: most proofs wait for disks and
 * clocks more than they compute. TEST_EFFORT=short makes every proof as short as it can be.
 */
import { readdirSync } from 'node:fs'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { MAY_RUN_AGAIN } from './test/support/proven.ts'
import { ALONE, CLIENTS, FAULTS, POLL, PROCESSES, RETRIES, TWO_FORMS } from './test/support/speeds.ts'

const { TEST_EFFORT = 'long' } = process.env

/** The HTTP suite on the storage engine for tests that promises as little as it may (test/support/weak-engine). */
const WEAK = readdirSync('test/support').some((name) => name.startsWith('weak'))
  ? ['test/http/**/*.test.ts']
  : []

/** Lost or doubled events, seen once, are a failure. Another test that failed may have been held up, and runs again. */
const UNLESS_PROOF_FAILED = { count: RETRIES, condition: MAY_RUN_AGAIN }

const groups = [
  { name: 'clients', include: CLIENTS, maxWorkers: 2 }, // each has Java processes of its own
  { name: 'processes', include: PROCESSES, maxWorkers: 3, testTimeout: 240_000 },
  {
    name: 'weak',
    include: WEAK,
    env: { TEST_STORAGE: 'weak', TEST_EFFORT: 'short' },
    maxWorkers: 3,
    testTimeout: 300_000,
  },
  { name: 'faults', include: [...FAULTS, ...TWO_FORMS], maxWorkers: 5 },
  { name: 'alone', include: ALONE, maxWorkers: 1 },
]

export default defineConfig({
  test: {
    reporters: ['./test/support/slowest.ts', 'default'],
    projects: groups
      .filter(({ include }) => include.length > 0)
      .map(
        (group, groupOrder): TestProjectInlineConfiguration => ({
          test: {
            env: { TEST_EFFORT },
            setupFiles: ['test/support/seeds.ts'],
            testTimeout: 900_000,
            hookTimeout: 240_000,
            expect: { poll: POLL },
            retry: UNLESS_PROOF_FAILED,
            ...group,
            sequence: { groupOrder: groupOrder + 1 }, // vitest runs a single worker of order 0 last
          },
        }),
      ),
  },
})
