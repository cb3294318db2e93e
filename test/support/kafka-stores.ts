/**
 * Topics of the stores of tests, one store after another. A broker takes longer to create and to delete topics than most tests
 * run. So while a test runs, the topics of the next store are created, and those of the store before are deleted.
 */
import { CLUSTER_LIMITS } from '../../storage/kafka/access.ts'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { topicNames } from '../../storage/kafka/settings.ts'
import { setUpTopics } from '../../storage/kafka/topic-setup.ts'
import { TestKafka } from './kafka.ts'
import { removeTopics } from './kafka-topics.ts'

export interface KafkaStore {
  readonly prefix: string
  readonly addresses: TestKafka['addresses']
}

let next: Promise<KafkaStore> | undefined
const removals = new Set<Promise<void>>()

/** With the topics that every store has. */
export async function takeKafkaStore(): Promise<KafkaStore> {
  const taken = next ?? newStore()
  next = undefined
  const store = await taken
  next ??= newStore()
  next.catch(() => {}) // the test that takes it fails
  return store
}

/** Resolves before the topics are deleted: see `endKafkaStores`. */
export function removeKafkaStore({ addresses, prefix }: KafkaStore): void {
  const removal = removeTopics(addresses, prefix).finally(() => removals.delete(removal))
  removals.add(removal)
  removal.catch(() => {}) // `endKafkaStores` rejects
}

/** Resolves when the topics of all stores are deleted. */
export async function endKafkaStores(): Promise<void> {
  const unused = await next?.catch(() => undefined)
  next = undefined
  if (unused !== undefined) removeKafkaStore(unused)
  await Promise.all(removals)
}

async function newStore(): Promise<KafkaStore> {
  const kafka = await TestKafka.shared()
  const { addresses } = kafka
  const prefix = kafka.newPrefix()
  const cluster = await KafkaCluster.open({ brokers: addresses }, CLUSTER_LIMITS)
  try {
    await setUpTopics(cluster, topicNames(prefix), { flush: false, insecure: true, logs: 'restored-log' })
  } finally {
    await cluster.close()
  }
  return { addresses, prefix }
}
