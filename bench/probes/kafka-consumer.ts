/** Full reads of a topic by the consumer of @platformatic/kafka, which hands out keys and values as bytes. */
import type { KafkaBroker } from '../processes/kafka.ts'
import type { Case } from '../sample.ts'
import type { KafkaStore } from '../stores/kafka-store.ts'
import { type PassJob, runPasses } from './run-passes.ts'

export interface ConsumerJob extends PassJob {
  readonly broker: string
  /** The topic has this prefix; there is one. */
  readonly topicPrefix: string
  readonly events: number
}

export function kafkaConsumer(
  name: string,
  broker: KafkaBroker,
  store: () => Promise<Pick<KafkaStore, 'prefix' | 'events'>>,
): Case {
  return {
    name,
    about: 'a plain consumer of @platformatic/kafka reads the same topic and counts its records',
    async run(round) {
      const { prefix, events } = await store()
      const { seconds, warmupSeconds } = round
      const address = await broker.address()
      const job: ConsumerJob = {
        seconds,
        warmupSeconds,
        broker: address,
        topicPrefix: `${prefix}.log.`,
        events,
      }
      return runPasses('kafka-consumer-process', job, round)
    },
  }
}
