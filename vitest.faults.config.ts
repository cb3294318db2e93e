/** The proofs in their long form: `npm run test:faults`. Each has its own time; several run at once. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/faults/**/*.test.ts'],
    env: { TEST_FAULTS: 'long' },
    testTimeout: 900_000,
    hookTimeout: 60_000,
    maxWorkers: 4,
  },
})
