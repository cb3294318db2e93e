/**
 * The contract of storage, and the tests of engines that need a service: `npm run test:engines`. One broker of Kafka serves all
 * files; each test uses topics of its own. MILLRACE_TEST_KAFKA names a cluster that runs already.
 */
import { defineConfig } from 'vitest/config'
import { ENGINES, POLL } from './test/support/speeds.ts'

export default defineConfig({
  test: {
    setupFiles: ['test/support/seeds.ts'],
    globalSetup: ['test/support/kafka-setup.ts'],
    reporters: ['./test/support/slowest.ts', 'default'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    expect: { poll: POLL },
    include: ENGINES,
  },
})
