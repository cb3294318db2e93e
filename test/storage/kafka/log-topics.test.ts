/** Topics of logs: created with the first event, and waited for. */
import { expect, test } from 'vitest'
import { LogTopics } from '../../../storage/kafka/log-topics.ts'
import { ScriptedCluster } from '../../support/scripted-cluster.ts'

const SETTINGS = { 'retention.ms': '-1' }

function on(cluster: ScriptedCluster, timeoutMs = 20_000) {
  return new LogTopics(cluster, {
    nameOf: (log) => `p.log.${log}`,
    replicas: 3,
    settings: SETTINGS,
    timeoutMs,
  })
}

test('many at once are created with few requests, each once', async () => {
  const cluster = new ScriptedCluster()
  let requests = 0
  const { createTopics } = cluster
  cluster.createTopics = (request) => {
    requests++
    expect(request.topics.every(({ replicas, settings }) => replicas === 3 && settings === SETTINGS)).toBe(
      true,
    )
    return createTopics.call(cluster, request)
  }
  const topics = on(cluster)
  await Promise.all(Array.from({ length: 250 }, (_, i) => topics.ensure(1 + (i % 125))))
  expect([cluster.topics.size, requests]).toEqual([125, 2])
  expect(topics.ensure(7)).toBeUndefined()
})

test('one that another node has created is used', async () => {
  const cluster = new ScriptedCluster()
  await on(cluster).ensure(1)
  cluster.createError = 29
  await on(cluster).ensure(1)
})

test('is waited for until it has a leader', async () => {
  const cluster = new ScriptedCluster()
  const { leader } = cluster
  let asked = 0
  cluster.leader = async (topic) => (++asked < 6 ? undefined : leader.call(cluster, topic))
  await on(cluster).ensure(1)
  expect(asked).toBe(6)
})

const refusals = [
  { code: 29, message: 'TOPIC_AUTHORIZATION_FAILED (29): as the script says' },
  { code: 41, message: 'NOT_CONTROLLER (41): as the script says' },
  { code: 44, message: 'POLICY_VIOLATION (44): as the script says' },
]
test.each(refusals)('$message', async ({ code, message }) => {
  const cluster = new ScriptedCluster()
  cluster.createError = code
  await expect(on(cluster, 100).ensure(1)).rejects.toMatchObject({
    code: 'unavailable',
    message: `topic p.log.1 cannot be created: ${message}`,
  })
})

test('is created after a failure, when it is asked for again', async () => {
  const cluster = new ScriptedCluster()
  cluster.createError = 44
  const topics = on(cluster, 100)
  await expect(topics.ensure(1)).rejects.toThrow()
  cluster.createError = 0
  await topics.ensure(1)
})
