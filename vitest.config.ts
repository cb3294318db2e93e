/**
 * The quick tests: `npm test`. Most of them wait for timers and for the disk some of the time, so five workers keep two
 * cores busy. The files of a worker share its process and the modules it has loaded: loading them for every file would take
 * a third of the time. Transformed modules are kept in node_modules/ between runs.
 */
import { configDefaults, defineConfig } from 'vitest/config'
import { POLL, PROOFS, RETRIES } from './test/support/speeds.ts'

export default defineConfig({
  test: {
    setupFiles: ['test/support/seeds.ts'],
    reporters: ['./test/support/slowest.ts', 'default'],
    maxWorkers: 5,
    isolate: false,
    experimental: { fsModuleCache: true },
    testTimeout: 300_000,
    hookTimeout: 240_000,
    expect: { poll: POLL },
    retry: RETRIES,
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...PROOFS],
  },
})
