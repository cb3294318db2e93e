/**
 * The quick tests: `npm test`. Most of them wait for timers and for the disk some of the time, so three workers keep two
 * cores busy. A worker keeps loaded modules for the next file: loading them costs more than most files take.
 */
import { configDefaults, defineConfig } from 'vitest/config'
import { POLL, PROOFS } from './test/support/speeds.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...PROOFS],
    setupFiles: ['test/support/seeds.ts'],
    reporters: ['./test/support/slowest.ts', 'default'],
    maxWorkers: 3,
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: POLL },
  },
})
