/** How a cluster of Kafka is reached, and how long one request may take. */

export interface KafkaAddress {
  readonly host: string
  readonly port: number
}

export interface KafkaTls {
  /** Certificates of the authorities to trust, PEM; those of the system if absent. */
  readonly ca?: Buffer
  /** The client's own certificate and its key, PEM. */
  readonly cert?: Buffer
  readonly key?: Buffer
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

export interface KafkaAccess {
  /** Any brokers of the cluster: the others are found through them. */
  readonly brokers: readonly KafkaAddress[]
  readonly tls?: KafkaTls
  readonly sasl?: KafkaSasl
}

export interface ClusterLimits {
  /** TCP, TLS, authentication and the check of versions together. */
  readonly connectMs: number
  /** From the call to the answer, without `connectMs`. */
  readonly requestMs: number
  /** Leaders are asked for again after this time. */
  readonly metadataAgeMs: number
}

export const CLUSTER_LIMITS: ClusterLimits = { connectMs: 5_000, requestMs: 10_000, metadataAgeMs: 30_000 }
