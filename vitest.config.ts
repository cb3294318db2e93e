/**
 * The quick tests: `npm test`. Most of them wait for timers and for the disk some of the time, so three workers keep two
 * cores busy.
 *
 * Files that test pure code share a worker and the modules it has loaded: loading them takes longer than the tests. A file
 * that opens a store, runs a service or asks DuckDB has a process of its own, so that nothing it leaves behind, a thread
 * or a native handle, reaches the next file.
 */
import { configDefaults, defineConfig } from 'vitest/config'
import { POLL, PROOFS, PURE } from './test/support/speeds.ts'

export default defineConfig({
  test: {
    setupFiles: ['test/support/seeds.ts'],
    reporters: ['./test/support/slowest.ts', 'default'],
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    expect: { poll: POLL },
    projects: [
      {
        extends: true,
        test: {
          name: 'pure',
          include: PURE,
          exclude: [...configDefaults.exclude, ...PROOFS],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...PROOFS, ...PURE],
        },
      },
    ],
  },
})
