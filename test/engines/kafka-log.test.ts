/** Reading, waiting and trimming on a real broker. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { event, readAll } from '../contract/event-log.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'
import { openTestLog, type TestLog } from '../support/kafka-log.ts'

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`a log on Kafka ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let opened: TestLog
  beforeAll(async () => {
    kafka = await TestKafka.shared()
    opened = await openTestLog({ brokers: kafka.addresses, prefix: kafka.newPrefix() })
  })
  afterAll(async () => {
    await opened?.close()
    await kafka?.remove()
  })

  test('is read as it was written', async () => {
    const { log } = opened
    const last = await log.append(1, [event('a', [['k', 'v']]), event('b')])
    console.log(
      last,
      await readAll(log, 1),
      await log.tail(1),
      await log.locate(1, 1),
      await log.totals(1),
      await log.logs(),
    )
    expect(1).toBe(1)
  })
})
