/** The process of a plain consumer: each pass reads the topic from its begin to its end, in a group of its own. */
import { randomUUID } from 'node:crypto'
import { Admin, Consumer } from '@platformatic/kafka'
import type { ConsumerJob } from './kafka-consumer.ts'
import { measurePasses } from './pass-process.ts'

/** As large as the reads of the service. */
const FETCH_BYTES = 4 * 1024 * 1024

await measurePasses<ConsumerJob>(async ({ broker, topicPrefix, events }) => {
  const topic = await topicOf(broker, topicPrefix)
  return {
    async pass() {
      const consumer = new Consumer({
        clientId: 'bench',
        groupId: randomUUID(),
        bootstrapBrokers: [broker],
        autocommit: false,
        maxBytes: FETCH_BYTES,
      })
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
      let [count, bytes] = [0, 0]
      for await (const { value } of stream) {
        bytes += (value as Buffer | undefined)?.length ?? 0
        if (++count === events) break
      }
      await consumer.close(true)
      return { events: count, bytes }
    },
  }
})

async function topicOf(broker: string, prefix: string): Promise<string> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [broker] })
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
  await admin.close()
  if (topics.length !== 1) throw new Error(`there are ${topics.length} topics ${prefix}…; expected one`)
  return topics[0]!
}
