/** Restored logs: times, what is probed before events of others are taken, and what makes a restore fail. */
import { beforeEach, expect, test } from 'vitest'
import { KafkaLogRestore } from '../../../storage/kafka/log-restore.ts'
import { event, whole } from '../../contract/event-log.ts'
import { writersOn } from '../../support/kafka-writers.ts'
import { ScriptedCluster } from '../../support/scripted-cluster.ts'

const TOPIC = 'p.log.1'
const RESTORED = {
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
}

let cluster: ScriptedCluster
let restore: KafkaLogRestore
let parts: ReturnType<typeof writersOn>

beforeEach(() => {
  cluster = new ScriptedCluster()
  parts = writersOn({
    requests: cluster,
    prefix: 'p',
    settings: { 'message.timestamp.type': 'LogAppendTime' },
  })
  const { topics, writers, producers } = parts
  const timeoutMs = 300
  restore = new KafkaLogRestore(
    { requests: cluster, topics, writers, producers, restoredSettings: RESTORED, timeoutMs },
    1,
  )
})

/** Changes of settings are in force after this many Produce requests. */
function settingsAreLateBy(requests: number): void {
  const { alterTopics, produce } = cluster
  const waiting: { at: number; apply: () => unknown }[] = []
  let produced = 0
  cluster.alterTopics = async (request) => {
    waiting.push({ at: produced + requests, apply: () => alterTopics.call(cluster, request) })
    return request.topics.map(({ topic }) => ({ topic, errorCode: 0, message: undefined }))
  }
  cluster.produce = async (node, request) => {
    produced++
    while (waiting[0] !== undefined && waiting[0].at <= produced) waiting.shift()!.apply()
    return produce.call(cluster, node, request)
  }
}

test('nothing restored creates no topic', async () => {
  await restore.finish()
  expect(cluster.topics.size).toBe(0)
})

test.each([0, 1, 3])(
  'the topic has the times of brokers when it resolves (late by %i requests)',
  async (late) => {
    settingsAreLateBy(late)
    for (let i = 0; i < 5; i++) await restore.add(whole(`e${i}`), [], i * 1_000)
    await restore.finish()
    expect(cluster.topics.get(TOPIC)!.settings['message.timestamp.type']).toBe('LogAppendTime')
    expect(await parts.writers.append(1, [event('now')])).toEqual({ sequence: 5, timestampMs: 5_000 })
    expect(cluster.bodies(TOPIC)).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'now'])
  },
)

test('large ones are several batches', async () => {
  for (let i = 0; i < 5; i++) await restore.add(whole('x'.repeat(400_000)), [], i)
  await restore.finish()
  expect([cluster.bodies(TOPIC).length, cluster.batchesOf(TOPIC)]).toEqual([5, 3])
})

test('settings that are never in force make it fail', async () => {
  settingsAreLateBy(1_000)
  await restore.add(whole('a'), [], 1)
  await expect(restore.finish()).rejects.toMatchObject({
    code: 'unavailable',
    message: 'topic p.log.1: its settings are not in force: OUT_OF_ORDER_SEQUENCE_NUMBER (45)',
  })
  expect(cluster.bodies(TOPIC)).toEqual(['a'])
})

test('settings that the cluster refuses make it fail', async () => {
  cluster.alterTopics = async ({ topics }) =>
    topics.map(({ topic }) => ({ topic, errorCode: 44, message: 'not here' }))
  await restore.add(whole('a'), [], 1)
  await expect(restore.finish()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/POLICY_VIOLATION \(44\): not here$/),
  })
})

test('a batch that is there twice makes it fail', async () => {
  await restore.add(whole('a'), [], 1)
  const { produce } = cluster
  cluster.produce = async (node, request) => {
    cluster.topics.get(TOPIC)!.producers.clear() // the broker has forgotten the producer
    return produce.call(cluster, node, request)
  }
  cluster.fates.push('answer lost')
  await expect(restore.finish()).rejects.toMatchObject({
    code: 'unavailable',
    message: 'topic p.log.1 has 2 records after 1 were restored; restore it into a new log',
  })
})
