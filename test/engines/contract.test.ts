/** The contract of storage on a real broker. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { openKafkaStorage } from '../../storage/kafka/open.ts'
import { describeCatalog } from '../contract/catalog.ts'
import { describeEventLog, type StorageEngine } from '../contract/event-log.ts'
import { describeStorageWrite } from '../contract/storage-write.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`on a broker ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  })
  afterAll(() => kafka?.remove())

  function kafkaEngine(): StorageEngine {
    const prefix = kafka.newPrefix()
    let folder = ''
    const open = (nowMs: () => number) =>
      openKafkaStorage({ access: { brokers: kafka.addresses }, prefix, folder, nowMs, insecure: true })
    return {
      async open(nowMs) {
        folder = await mkdtemp(join(tmpdir(), 'millrace-node-'))
        return open(nowMs)
      },
      reopen: open,
      remove: () => rm(folder, { recursive: true }),
    }
  }

  for (const describeContract of [describeEventLog, describeCatalog, describeStorageWrite])
    describeContract('Kafka', kafkaEngine)
})
