/** The real clients of CDAP against the service: `npm run test:clients`. They are fetched once, which takes a minute or two. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/clients/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    maxWorkers: 1, // each has Java processes beside it
  },
})
