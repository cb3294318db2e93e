/**
 * The proofs in their long form: `npm run test:faults`. Most wait for disks and clocks more than they compute, so several
 * run at once; the proof of overload is about time and runs alone, after them.
 */
import { defineConfig } from 'vitest/config'

const OVERLOAD = 'test/faults/overload.test.ts'
const shared = { env: { TEST_FAULTS: 'long' }, testTimeout: 900_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'together',
          include: ['test/faults/**/*.test.ts'],
          exclude: [OVERLOAD],
          maxWorkers: 5,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...shared, name: 'alone', include: [OVERLOAD], maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})
