/** Savepoints as APIs ask for them, and what has become of a request. */
export interface SavepointRequest {
  /** A path or a `file:` URI. Undefined: the folder of the service. */
  readonly directory: string | undefined
  /** Whether the job is cancelled after it. */
  readonly cancels: boolean
  readonly format: 'CANONICAL' | 'NATIVE'
  readonly triggerId: string | undefined
}

export interface StopRequest {
  readonly directory: string | undefined
  readonly drains: boolean
  readonly format: 'CANONICAL' | 'NATIVE'
  readonly triggerId: string | undefined
}

export type Operation =
  | { readonly state: 'in-progress' }
  | { readonly state: 'completed'; readonly location?: string; readonly checkpointId?: number }
  | { readonly state: 'failed'; readonly message: string }
