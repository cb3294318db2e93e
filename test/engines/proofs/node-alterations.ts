/** Parts of the protocol of several nodes that are taken out of a build: the proofs have to see the fault. */
import type { Alteration } from '../../support/altered-build.ts'

/** Nodes trust what they have applied, without asking the brokers for more. */
export const WITHOUT_BARRIER: readonly Alteration[] = [
  {
    file: '../storage/kafka/catalog-barrier.js',
    from: 'return isCertain ? this.#writes.call() : this.#ends.call()',
    to: 'return Promise.resolve()',
  },
]

/** A node applies what others have changed later than they do. Without the protocol its clients see an old state. */
export const SLOW_FOLLOWER: readonly Alteration[] = [
  {
    file: '../storage/kafka/catalog-follower.js',
    from: 'const result = await this.#parts.topic.poll(this.#replay.next, POLL_MS, signal)',
    to: `const result = await this.#parts.topic.poll(this.#replay.next, POLL_MS, signal)
    await new Promise((resolve) => setTimeout(resolve, 500))`,
  },
]

/** A change that removes something is acknowledged before the other nodes have applied it. */
export const WITHOUT_CONFIRMATION: readonly Alteration[] = [
  {
    file: '../storage/kafka/kafka-store-cluster.js',
    from: 'if (nodes.haveApplied(asked)) return',
    to: 'return',
  },
]

/** The end of the catalog is believed from any broker, however late; and a node that is cut off goes on. */
export const WITHOUT_HEARTBEAT_RULE: readonly Alteration[] = [
  {
    file: '../storage/kafka/catalog-barrier.js',
    from: 'return isTrusted ? offset : undefined',
    to: 'return offset',
  },
  {
    file: '../storage/kafka/catalog-barrier.js',
    from: 'if (!isRecent(lastBeat(), askedAtMs)) return undefined',
    to: '',
  },
  {
    file: '../storage/kafka/nodes.js',
    from: 'if (this.isLive()) return',
    to: 'return',
  },
]

/** The janitor takes every log that it lists and no stream has for unused. */
export const WITHOUT_LOG_BOUND: readonly Alteration[] = [
  {
    file: 'janitor/janitor.js',
    from: 'all.filter((log) => log <= this.#registry.lastLog)',
    to: 'all',
  },
  { file: 'janitor/janitor.js', from: 'await sharing.fresh(true)', to: '' },
]

/** A large batch is acknowledged when its commit is, before readers see it. */
export const WITHOUT_VISIBILITY: readonly Alteration[] = [
  {
    file: '../storage/kafka/transaction.js',
    from: 'await Promise.all([...this.#topics.values()].map((topic) => topic.visible(this.#limits.visibleMs)))',
    to: '',
  },
]

/** The transactions of a dead node are left to the brokers. */
export const WITHOUT_FENCING: readonly Alteration[] = [
  { file: '../storage/kafka/lock-keeper.js', from: 'await fence(dead.flatMap(idsOf))', to: '' },
]

/** A node takes leases only that were given up, not those of a node that has died. */
export const WITHOUT_TAKEOVER: readonly Alteration[] = [
  {
    file: '../storage/kafka/leases.js',
    from: 'return !nodes.isAlive(document.node)',
    to: 'return false',
  },
]

/** What has expired is decided by the clock of the node. */
export const WITH_CLOCK_OF_NODE: readonly Alteration[] = [
  {
    file: 'janitor/janitor.js',
    from: 'sharing === undefined ? this.#nowMs() : this.#log.nowMs()',
    to: 'this.#nowMs()',
  },
  {
    file: 'streams/streams.js',
    from: 'this.#sharing === undefined ? this.#options.nowMs() : this.#log.nowMs()',
    to: 'this.#options.nowMs()',
  },
]

/** Topics keep what their cluster keeps by default. */
export const WITHOUT_RETENTION: readonly Alteration[] = [
  { file: '../storage/kafka/settings.js', from: "'retention.ms': '-1',", to: '' },
]

/** A node applies nothing while this file exists. */
export function followerHeldBy(switchFile: string): Alteration {
  const from = 'const result = await this.#parts.topic.poll(this.#replay.next, POLL_MS, signal)'
  const held = `(await import('node:fs')).existsSync(${JSON.stringify(switchFile)})`
  return {
    file: '../storage/kafka/catalog-follower.js',
    from,
    to: `${from}\nwhile (${held}) await new Promise((resolve) => setTimeout(resolve, 20))`,
  }
}

/** The clock of a node, ahead by the milliseconds in this file. */
export function clockSteppedBy(file: string): Alteration {
  return {
    file: 'cli.js',
    from: 'const GRACE_MS = 10_000',
    to: `const GRACE_MS = 10_000
const { readFileSync: readStep } = await import('node:fs')
const nowMs = Date.now
Date.now = () => nowMs() + Number(readStep(${JSON.stringify(file)}, 'utf8'))`,
  }
}

/** Batches have no numbers by which brokers know them again, so a batch that is sent again is stored again. */
export const WITHOUT_IDEMPOTENCE: readonly Alteration[] = [
  {
    file: '../storage/kafka/producer-state.js',
    from: 'return { producerId: numbers.identity.producerId, epoch: numbers.epoch, baseSequence: numbers.sequence }',
    to: 'return { producerId: -1, epoch: -1, baseSequence: -1 }',
  },
]
