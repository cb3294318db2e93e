/**
 * The contract of storage, and the tests of engines that need a service: `npm run test:engines`. One broker of Kafka serves all
 * files; each test uses topics of its own. MILLRACE_TEST_KAFKA names a cluster that runs already.
 */
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { ENGINES, ON_KAFKA, POLL, RETRIES } from './test/support/speeds.ts'

const groups = [
  { name: 'contract', include: ENGINES },
  {
    name: 'http',
    include: ON_KAFKA,
    env: { TEST_STORAGE: 'kafka', TEST_EFFORT: 'short' },
    setupFiles: ['test/support/seeds.ts', 'test/support/kafka-stores-setup.ts'],
    isolate: false, // the files of a worker share the modules it has loaded
  },
]

export default defineConfig({
  test: {
    experimental: { fsModuleCache: true },
    reporters: ['./test/support/slowest.ts', 'default'],
    projects: groups.map(
      (group, groupOrder): TestProjectInlineConfiguration => ({
        test: {
          setupFiles: ['test/support/seeds.ts'],
          globalSetup: ['test/support/kafka-setup.ts'],
          maxWorkers: 3, // they wait for the broker more than they compute
          testTimeout: 120_000,
          hookTimeout: 300_000,
          expect: { poll: POLL },
          retry: RETRIES,
          ...group,
          sequence: { groupOrder: groupOrder + 1 },
        },
      }),
    ),
  },
})
