/** The options of the Kafka engine, the names of its topics, and the settings that its topics need. */
import type { LogId } from '../log.ts'
import type { KafkaAccess } from './access.ts'

export interface KafkaStorageOptions {
  readonly access: KafkaAccess
  /** Names of all topics and transactional ids begin with it and a dot. Nodes with the same prefix share a store. */
  readonly prefix: string
  /** The folder of this node: its id, and the files of large batches. One process at a time has it open. */
  readonly folder: string
  /** The clock of this node. Times of events, and what is expired, follow the clocks of the brokers. */
  readonly nowMs: () => number
  /** Where the other nodes reach this one. */
  readonly nodeUrl?: string
  /** Brokers sync events to disk before they acknowledge them. */
  readonly flush?: boolean
  /** Opens the store also with settings of the cluster that can lose acknowledged events. */
  readonly insecure?: boolean
  /** Bytes of large batches that may wait in files of this node. */
  readonly spoolBytesMax?: number
  /** Bytes that these files leave free on the disk of the folder. */
  readonly freeDiskBytesMin?: number
  /** Time for which a read waits for a batch that is being committed, before it ends in front of it. */
  readonly pendingMs?: number
  /** Records of the catalog after which a snapshot is written; SNAPSHOT_RECORDS if absent. */
  readonly snapshotRecords?: number
  /** For tests with one node: this clock sets the times of events, instead of the brokers. */
  readonly eventClock?: () => number
  /** Reports a failure that has no caller. */
  readonly report?: (error: unknown) => void
}

export const DEFAULT_SPOOL_BYTES_MAX = 10 * 1024 * 1024 * 1024
export const DEFAULT_PENDING_MS = 2_000
/** A prefix is part of the names of topics, which have at most 249 characters. */
export const PREFIX_PATTERN = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/

/** Transactional ids of a node, so many large batches are committed at once. */
export const TRANSACTIONS_PER_NODE = 4

export interface TopicNames {
  readonly catalog: string
  readonly snapshots: string
  readonly totals: string
  /** Names of topics of logs begin with it. */
  readonly logPrefix: string
  log(log: LogId): string
  /** The log of a topic; undefined if the topic is not one of a log of this store. */
  logOf(topic: string): LogId | undefined
  /** Transactional id number `index` of a node. */
  transactionalId(nodeId: string, index: number): string
}

const LOG_ID_MAX = 2 ** 32 - 1

export function topicNames(prefix: string): TopicNames {
  const logPrefix = `${prefix}.log.`
  return {
    catalog: `${prefix}.catalog`,
    snapshots: `${prefix}.catalog-snapshots`,
    totals: `${prefix}.totals`,
    logPrefix,
    log: (log) => `${logPrefix}${log}`,
    logOf(topic) {
      if (!topic.startsWith(logPrefix)) return undefined
      const digits = topic.slice(logPrefix.length)
      const log = Number(digits)
      return /^[1-9]\d{0,9}$/.test(digits) && log <= LOG_ID_MAX ? log : undefined
    },
    transactionalId: (nodeId, index) => `${prefix}.${nodeId}.${index}`,
  }
}

export type TopicKind = 'log' | 'restored-log' | 'catalog' | 'totals'

/** Settings of a topic by name, as Kafka spells them. */
export type TopicSettings = Readonly<Record<string, string>>

/** The largest record batch that the engine writes, and 1 MiB for what surrounds its records. */
const LOG_MESSAGE_BYTES_MAX = 17 * 1024 * 1024
const CATALOG_MESSAGE_BYTES_MAX = 10 * 1024 * 1024
const TIMESTAMP_RANGE_MAX_MS = '9223372036854775807'

export interface SafetySettings {
  readonly flush: boolean
  /** Replicas that acknowledge a write, at least. */
  readonly minInSyncReplicas: number
}

/**
 * The settings that a topic has, in addition to the defaults of the cluster. All are set explicitly, because the defaults
 * of a cluster may delete events by age.
 */
export function topicSettings(kind: TopicKind, { flush, minInSyncReplicas }: SafetySettings): TopicSettings {
  const common = {
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'compression.type': 'uncompressed',
    'min.insync.replicas': `${minInSyncReplicas}`,
    'unclean.leader.election.enable': 'false',
    ...(flush && { 'flush.messages': '1' }),
  }
  switch (kind) {
    case 'totals':
      return { ...common, 'cleanup.policy': 'compact' }
    case 'catalog':
      return {
        ...common,
        'cleanup.policy': 'delete',
        'message.timestamp.type': 'LogAppendTime',
        'max.message.bytes': `${CATALOG_MESSAGE_BYTES_MAX}`,
      }
    case 'log':
    case 'restored-log':
      return {
        ...common,
        'cleanup.policy': 'delete',
        'message.timestamp.type': kind === 'log' ? 'LogAppendTime' : 'CreateTime',
        'max.message.bytes': `${LOG_MESSAGE_BYTES_MAX}`,
        'segment.index.bytes': '1048576',
        ...(kind === 'restored-log' && {
          'message.timestamp.before.max.ms': TIMESTAMP_RANGE_MAX_MS,
          'message.timestamp.after.max.ms': TIMESTAMP_RANGE_MAX_MS,
        }),
      }
  }
}
