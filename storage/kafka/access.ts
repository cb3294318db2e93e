/** How a Kafka cluster is reached. */

export interface KafkaAddress {
  readonly host: string
  readonly port: number
}

export interface KafkaAccess {
  /** Brokers to ask first; the others are learnt from them. */
  readonly brokers: readonly KafkaAddress[]
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
}
