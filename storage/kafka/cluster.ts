/**
 * The brokers of a cluster: who leads a topic, and one connection for each broker and purpose.
 *
 * Topics of the engine have one partition. Every call ends in bounded time. Errors are KafkaRequestErrors and contain no
 * secret.
 */
import type { ClusterLimits, KafkaAccess } from './access.ts'
import type { KafkaRequest } from './request.ts'

export type { ClusterLimits, KafkaAccess, KafkaAddress } from './access.ts'
export type { KafkaRequest } from './request.ts'

/** A broker answers the requests of a connection in order, so those that wait for long have connections of their own. */
export type Purpose = 'produce' | 'fetch' | 'long-poll' | 'control'

export interface Leader {
  readonly node: number
  readonly epoch: number
}

export interface SendOptions {
  /** Instead of `requestMs`. */
  readonly timeoutMs?: number
  /** The caller gives up: the request counts as lost, and the connection is closed. */
  readonly signal?: AbortSignal
}

export class KafkaCluster {
  private constructor() {}

  /**
   * Connects to a broker that answers. Rejects with a lasting error if a broker lacks a version that the engine needs,
   * if it refuses the password, or if its certificate is not trusted.
   */
  static async open(_access: KafkaAccess, _limits: ClusterLimits): Promise<KafkaCluster> {
    throw new Error('not built yet')
  }

  /** Undefined: the topic is unknown, or has no leader now. `refresh`: what was read before the call does not count. */
  async leader(_topic: string, _options?: { readonly refresh?: boolean }): Promise<Leader | undefined> {
    throw new Error('not built yet')
  }

  /** A broker for requests to the controller, which every broker forwards. */
  async controller(): Promise<number> {
    throw new Error('not built yet')
  }

  /** The brokers, as last read. */
  nodes(): readonly number[] {
    throw new Error('not built yet')
  }

  /** Undefined: the topic is unknown. Always read anew. */
  async replicationOf(
    _topic: string,
  ): Promise<{ readonly replicas: number; readonly inSync: number } | undefined> {
    throw new Error('not built yet')
  }

  /** Names of the topics that begin with `prefix`. Always read anew. */
  async listTopics(_prefix: string): Promise<readonly string[]> {
    throw new Error('not built yet')
  }

  /** The broker that coordinates a transactional id. Rejects while there is none. Always read anew. */
  async coordinator(_transactionalId: string): Promise<number> {
    throw new Error('not built yet')
  }

  async send<R>(
    _node: number,
    _purpose: Purpose,
    _request: KafkaRequest<R>,
    _options?: SendOptions,
  ): Promise<R> {
    throw new Error('not built yet')
  }

  /** Requests that are under way are lost. */
  async close(): Promise<void> {}
}
