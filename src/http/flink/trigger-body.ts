/**
 * Bodies that start an operation. Without a body all members have their defaults. Unknown members are ignored, and null counts as
 * absent. A body of another form is refused with Flink's sentence, which names the class that Flink reads it into.
 */
import type { SavepointRequest, StopRequest } from '../../jobs/savepoints/savepoint.ts'
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import type { LenientJson, LenientObject } from '../messages/lenient-json.ts'

/** As long as a path may be. */
const PATH_CHARACTERS_MAX = 4_096
const FORMATS = ['CANONICAL', 'NATIVE'] as const
const CHECKPOINT_TYPES = ['CONFIGURED', 'FULL', 'INCREMENTAL'] as const

/** These throw ServiceError 'invalid_parameter'. */
export function parseSavepoint(body: Uint8Array, depthMax?: number): SavepointRequest {
  const members = new Members(body, 'SavepointTriggerRequestBody', depthMax)
  return {
    directory: members.text('target-directory'),
    cancels: members.flag('cancel-job'),
    format: members.oneOf('formatType', FORMATS) ?? 'CANONICAL',
    triggerId: members.trigger(),
  }
}

export function parseStop(body: Uint8Array, depthMax?: number): StopRequest {
  const members = new Members(body, 'StopWithSavepointRequestBody', depthMax)
  return {
    directory: members.text('targetDirectory'),
    drains: members.flag('drain'),
    format: members.oneOf('formatType', FORMATS) ?? 'CANONICAL',
    triggerId: members.trigger(),
  }
}

/** All types of checkpoints are one here: each commit has the whole state. */
export function parseCheckpoint(
  body: Uint8Array,
  depthMax?: number,
): { readonly triggerId: string | undefined } {
  const members = new Members(body, 'CheckpointTriggerRequestBody', depthMax)
  members.oneOf('checkpointType', CHECKPOINT_TYPES)
  return { triggerId: members.trigger() }
}

export function parseDisposal(body: Uint8Array, depthMax?: number): { readonly path: string } {
  const path = new Members(body, 'SavepointDisposalRequest', depthMax).text('savepoint-path')
  if (path !== undefined) return { path }
  throw new ServiceError('invalid_parameter', 'Field savepoint-path must not be omitted or be null.')
}

class Members {
  readonly #members: LenientObject
  readonly #className: string

  constructor(body: Uint8Array, className: string, depthMax: number | undefined) {
    this.#className = className
    const json = readJson(body, depthMax, (cause) => this.#wrong({ cause }))
    if (json !== undefined && !(json instanceof Map)) throw this.#wrong()
    this.#members = (json as LenientObject | undefined) ?? new Map()
  }

  text(name: string): string | undefined {
    const value = this.#value(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value.length > PATH_CHARACTERS_MAX || value.includes('\0'))
      throw this.#wrong()
    return value
  }

  /** Also as a text, which Flink's reader accepts. */
  flag(name: string): boolean {
    const value = this.#value(name)
    if (value === undefined || value === false || value === 'false') return false
    if (value === true || value === 'true') return true
    throw this.#wrong()
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.#value(name)
    if (value === undefined) return undefined
    const found = values.find((one) => one === value)
    if (found === undefined) throw this.#wrong()
    return found
  }

  trigger(): string | undefined {
    const id = this.text('triggerId')
    if (id !== undefined && !/^[0-9a-f]{32}$/i.test(id)) throw this.#wrong()
    return id?.toLowerCase()
  }

  #value(name: string): Exclude<LenientJson, null> | undefined {
    return this.#members.get(name) ?? undefined
  }

  #wrong(options?: ErrorOptions): ServiceError {
    return new ServiceError(
      'invalid_parameter',
      `Request did not match expected format ${this.#className}.`,
      options,
    )
  }
}
