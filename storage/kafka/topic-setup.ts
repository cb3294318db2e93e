/**
 * Creates the topics of the catalog, and checks the settings of all topics of the store: a setting that differs is corrected. If the
 * cluster does not allow a setting, the store is not opened; with `insecure` it is opened all the same, unless it cannot work so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../storage-error.ts'
import type { KafkaCluster } from './cluster.ts'
import { errorName, isRetriable, KAFKA_ERRORS } from './error-codes.ts'
import { type SafetySettings, type TopicKind, type TopicNames, topicSettings } from './settings.ts'
import { createTopics, describeConfigs, incrementalAlterConfigs, type Setting } from './topic-requests.ts'

export interface TopicSetup {
  /** Replicas of new topics. */
  readonly replicas: number
  readonly safety: SafetySettings
  /** Sentences about what can lose acknowledged events. */
  readonly problems: readonly string[]
}

export interface SetupOptions {
  readonly flush: boolean
  readonly insecure: boolean
  /** What the topics of logs are. */
  readonly logs: 'log' | 'restored-log'
}

const REPLICAS_WANTED = 3
const REQUEST_MS = 10_000
/** A new topic has a leader, and a changed setting is in force, after this time. */
const READY_MS = 30_000
const PAUSE_MS = 100
const TOGETHER_MAX = 500
const TIMESTAMP_TYPE = 'message.timestamp.type'

/** With another value acknowledged events can be lost. Without the others the store cannot work. */
const LOSES_EVENTS: ReadonlySet<string> = new Set([
  'retention.ms',
  'retention.bytes',
  'cleanup.policy',
  'min.insync.replicas',
  'unclean.leader.election.enable',
  'flush.messages',
])

/** Rejects with StorageError 'unavailable', or 'format' with a sentence that names topic and setting. */
export async function setUpTopics(
  cluster: KafkaCluster,
  names: TopicNames,
  { flush, insecure, logs: kind }: SetupOptions,
): Promise<TopicSetup> {
  const replicas = await replicasOf(cluster, names.catalog)
  const safety: SafetySettings = { flush, minInSyncReplicas: Math.min(2, replicas) }
  const kinds: readonly (readonly [topic: string, kind: TopicKind])[] = [
    [names.catalog, 'catalog'],
    [names.snapshots, 'catalog'],
    [names.totals, 'totals'],
  ]
  await create(cluster, kinds, replicas, safety)
  const logs = (await cluster.listTopics(names.logPrefix)).filter((topic) => names.logOf(topic) !== undefined)
  const topics = [...kinds, ...logs.map((topic) => [topic, kind] as const)]
  const problems: string[] = []
  for (let i = 0; i < topics.length; i += TOGETHER_MAX)
    problems.push(...(await correct(cluster, topics.slice(i, i + TOGETHER_MAX), safety)))
  problems.push(...(await tooFewReplicas(cluster, names.catalog)))
  if (problems.length > 0 && !insecure) {
    throw new StorageError(
      'format',
      `${problems.join('; ')}. Change that, or start with --insecure-kafka, and accept that acknowledged events can be lost`,
    )
  }
  return { replicas, safety, problems }
}

/**
 * Brokers that are down are not among those of the cluster. So of a store that exists its catalog counts: otherwise a node that starts
 * meanwhile would have all topics take writes that fewer replicas have.
 */
async function replicasOf(cluster: KafkaCluster, catalog: string): Promise<number> {
  const { replicas = 0 } = (await cluster.replicationOf(catalog)) ?? {}
  return Math.min(REPLICAS_WANTED, Math.max(1, replicas, cluster.nodes().length))
}

async function create(
  cluster: KafkaCluster,
  kinds: readonly (readonly [topic: string, kind: TopicKind])[],
  replicas: number,
  safety: SafetySettings,
): Promise<void> {
  const endMs = performance.now() + READY_MS
  let missing = [...kinds]
  let problem = 'it has no leader'
  for (;;) {
    const leaders = await Promise.all(missing.map(([topic]) => cluster.leader(topic, { refresh: true })))
    missing = missing.filter((_, i) => leaders[i] === undefined)
    if (missing.length === 0) return
    const answers = await createTopics(cluster, {
      topics: missing.map(([topic, kind]) => ({ topic, replicas, settings: topicSettings(kind, safety) })),
      timeoutMs: REQUEST_MS,
    })
    for (const { topic, errorCode, message } of answers) {
      if (errorCode === KAFKA_ERRORS.none || errorCode === KAFKA_ERRORS.topicAlreadyExists) continue
      problem = `${errorName(errorCode)}${message ? `: ${message}` : ''}`
      if (!isRetriable(errorCode) && errorCode !== KAFKA_ERRORS.notController)
        throw new StorageError(
          'format',
          `topic ${topic} cannot be created: ${problem}${rightsHint(errorCode)}`,
        )
    }
    if (performance.now() > endMs)
      throw new StorageError('unavailable', `topic ${missing[0]![0]} cannot be created: ${problem}`)
    await sleep(PAUSE_MS)
  }
}

function rightsHint(errorCode: number): string {
  const isRefused =
    errorCode === KAFKA_ERRORS.topicAuthorizationFailed ||
    errorCode === KAFKA_ERRORS.clusterAuthorizationFailed
  return isRefused
    ? '; the user needs Create, Describe, DescribeConfigs, AlterConfigs, Delete, Read and Write on all topics with the prefix'
    : ''
}

interface Difference {
  readonly topic: string
  readonly set: Record<string, string>
}

/** Resolves with sentences about what is still different. */
async function correct(
  cluster: KafkaCluster,
  topics: readonly (readonly [topic: string, kind: TopicKind])[],
  safety: SafetySettings,
): Promise<string[]> {
  let different = await differences(cluster, topics, safety)
  if (different.length === 0) return []
  const refused = new Map<string, string>()
  const answers = await incrementalAlterConfigs(cluster, { topics: different })
  for (const { topic, errorCode, message } of answers)
    if (errorCode !== 0) refused.set(topic, `${errorName(errorCode)}${message ? `: ${message}` : ''}`)
  const endMs = performance.now() + READY_MS
  for (;;) {
    different = await differences(cluster, topics, safety)
    if (different.every(({ topic }) => refused.has(topic)) || performance.now() > endMs) break
    await sleep(PAUSE_MS)
  }
  const problems: string[] = []
  for (const { topic, set } of different) {
    for (const [setting, wanted] of Object.entries(set)) {
      const sentence = `topic ${topic} needs ${setting}=${wanted}, which the cluster refuses: ${refused.get(topic) ?? 'it has no effect'}`
      if (!LOSES_EVENTS.has(setting)) throw new StorageError('format', sentence)
      problems.push(sentence)
    }
  }
  return problems
}

async function differences(
  cluster: KafkaCluster,
  topics: readonly (readonly [topic: string, kind: TopicKind])[],
  safety: SafetySettings,
): Promise<Difference[]> {
  const answers = await describeConfigs(cluster, await cluster.controller(), {
    resources: topics.map(([name]) => ({ type: 'topic' as const, name })),
  })
  return answers.flatMap(({ name, errorCode, message, settings }, i) => {
    if (errorCode === KAFKA_ERRORS.unknownTopicOrPartition) return [] // dropped meanwhile
    if (errorCode !== 0) {
      const problem = `${errorName(errorCode)}${message ? `: ${message}` : ''}`
      throw new StorageError(
        isRetriable(errorCode) ? 'unavailable' : 'format',
        `the settings of topic ${name} cannot be read: ${problem}${rightsHint(errorCode)}`,
      )
    }
    const kind = topics[i]![1]
    const wanted = Object.entries(topicSettings(kind, safety)).filter(
      ([setting]) => setting !== TIMESTAMP_TYPE || kind !== 'log' || !isBeingRestored(settings),
    )
    const set = Object.fromEntries(
      wanted.filter(([setting, value]) => {
        const found = settings.get(setting)
        return found === undefined || found.value !== value || !found.isOwn
      }),
    )
    return Object.keys(set).length > 0 ? [{ topic: name, set }] : []
  })
}

/** Perhaps by another node (log-restore.ts), which sets the times of brokers at the end. */
function isBeingRestored(settings: ReadonlyMap<string, Setting>): boolean {
  const restored = topicSettings('restored-log', { flush: false, minInSyncReplicas: 1 })
  return [TIMESTAMP_TYPE, 'message.timestamp.before.max.ms'].every((setting) => {
    const found = settings.get(setting)
    return found?.isOwn === true && found.value === restored[setting]
  })
}

async function tooFewReplicas(cluster: KafkaCluster, topic: string): Promise<string[]> {
  const { replicas = 0 } = (await cluster.replicationOf(topic)) ?? {}
  if (replicas >= 2) return []
  return [
    `topic ${topic} has ${replicas} replica, so the loss of a broker loses acknowledged events; use a cluster of at least 3 brokers`,
  ]
}
