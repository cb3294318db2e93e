/** The contract of an event log on a real broker. */
import { afterAll, beforeAll, describe } from 'vitest'
import type { Storage } from '../../storage/storage.ts'
import { describeEventLog } from '../contract/event-log.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'
import { storageOf } from '../support/kafka-log.ts'

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`on a broker ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  })
  afterAll(() => kafka?.remove())

  describeEventLog('Kafka', () => {
    const prefix = kafka.newPrefix()
    const open = (): Promise<Storage> => storageOf({ brokers: kafka.addresses, prefix })
    return { open, reopen: open, remove: async () => {} }
  })
})
