/**
 * The proofs on three brokers of Kafka: `npm run test:kafka-proofs`, or one file: `npm run test:kafka-proofs -- brokers`.
 * TEST_EFFORT=short makes each as short as it can be. Each file has a cluster of its own, so one runs at a time.
 */
import { defineConfig } from 'vitest/config'
import { MAY_RUN_AGAIN } from './test/support/proven.ts'
import { KAFKA_PROOFS, POLL, RETRIES } from './test/support/speeds.ts'

const { TEST_EFFORT = 'long' } = process.env

export default defineConfig({
  test: {
    env: { TEST_EFFORT },
    setupFiles: ['test/support/seeds.ts'],
    reporters: ['./test/support/slowest.ts', 'default'],
    include: KAFKA_PROOFS,
    maxWorkers: 1,
    testTimeout: 3_600_000,
    hookTimeout: 900_000,
    expect: { poll: POLL },
    retry: { count: RETRIES, condition: MAY_RUN_AGAIN },
  },
})
