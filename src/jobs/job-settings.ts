/** What a client may set of one job: how often it commits, and when it is started again after an error. */

export type RestartRule =
  | { readonly kind: 'none' }
  /** So many errors in a row, each after the same delay. */
  | { readonly kind: 'fixed-delay'; readonly attempts: number; readonly delayMs: number }
  | {
      readonly kind: 'exponential-delay'
      readonly firstMs: number
      readonly mostMs: number
      readonly factor: number
      /** Running this long without an error makes the next delay the first one. */
      readonly resetMs: number
    }

export interface JobSettings {
  /** The least time between two commits. Undefined: as soon as there are events. */
  readonly checkpointIntervalMs?: number
  /** Undefined: that of the service. */
  readonly restart?: RestartRule
}
