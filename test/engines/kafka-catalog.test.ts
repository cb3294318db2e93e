import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { openKafkaStorage } from '../../storage/kafka/open.ts'
import { describeCatalog } from '../contract/catalog.ts'
import { describeStorageWrite } from '../contract/storage-write.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`on a broker ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  })
  afterAll(() => kafka?.remove())

  function engine() {
    const prefix = kafka.newPrefix()
    const folder = mkdtempSync(join(tmpdir(), 'millrace-node-'))
    const report = (error: unknown) => console.error(error)
    const open = (nowMs: () => number) =>
      openKafkaStorage({
        access: { brokers: kafka.addresses },
        prefix,
        folder,
        nowMs,
        insecure: true,
        report,
      })
    return { open, reopen: open, remove: async () => rmSync(folder, { recursive: true }) }
  }
  for (const describeContract of [describeCatalog, describeStorageWrite]) describeContract('Kafka', engine)
})
