/** Requests to the leader of the catalog's topic while there is none, or another one. */
import { expect, test } from 'vitest'
import { KafkaCatalogTopic } from '../../../storage/kafka/catalog-topic.ts'
import type { KafkaCluster } from '../../../storage/kafka/cluster.ts'
import { KAFKA_ERRORS } from '../../../storage/kafka/error-codes.ts'

const LEADER = { node: 1, epoch: 3 }

/** Each ListOffsets is answered with the next code, and with the offset 7 when there is none left. */
function setup(codes: (number | 'no leader')[]) {
  const refreshed: boolean[] = []
  const cluster = {
    requestMs: 1_000,
    async leader(_: string, options?: { readonly refresh?: boolean }) {
      refreshed.push(options?.refresh === true)
      if (codes[0] !== 'no leader') return LEADER
      codes.shift()
      return undefined
    },
    async send() {
      const errorCode = codes.shift() ?? 0
      return [{ topic: 'catalog', errorCode, offset: errorCode === 0 ? 7 : -1, timestampMs: -1 }]
    },
  }
  return { topic: new KafkaCatalogTopic(cluster as unknown as KafkaCluster, 'catalog'), refreshed }
}

test.each([
  {
    name: 'is not the leader yet',
    codes: [KAFKA_ERRORS.notLeaderOrFollower, KAFKA_ERRORS.leaderNotAvailable],
  },
  { name: 'is not known yet', codes: ['no leader' as const, 'no leader' as const] },
])('the bounds of the topic are asked for again when the broker $name', async ({ codes }) => {
  const { topic, refreshed } = setup([...codes])
  expect(await topic.end(5_000)).toEqual({ offset: 7, leader: LEADER })
  expect(refreshed).toEqual([false, true, true])
  expect(await setup([...codes]).topic.begin()).toBe(7)
})

test('a leader that does not come is named when the time is over', async () => {
  const { topic } = setup(Array.from({ length: 100 }, () => 'no leader'))
  await expect(topic.end(50)).rejects.toThrow('topic catalog has no leader now')
})
