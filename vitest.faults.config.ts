/**
 * The proofs in their long form: `npm run test:faults`. Most wait for disks and clocks more than they compute, so several
 * run at once; those of overload and of fairness are about time and run alone, after them.
 */
import { defineConfig } from 'vitest/config'

const ALONE = ['test/faults/overload.test.ts', 'test/faults/fairness*.test.ts']
const shared = { env: { TEST_FAULTS: 'long' }, testTimeout: 900_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'together',
          include: ['test/faults/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 5,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...shared, name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})
