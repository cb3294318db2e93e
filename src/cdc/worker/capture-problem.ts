/**
 * Errors of the database and of its connection, as the service may show them: a code of the closed list, a text without secrets, and
 * whether the same call may succeed later.
 */
import type { CaptureErrorCode } from '../capture-service.ts'

export class CaptureProblem extends Error {
  override readonly name = 'CaptureProblem'
  readonly code: CaptureErrorCode
  /** It may work later without a change of settings. */
  readonly passing: boolean
  /** SQLSTATE of the server, if the server has answered. */
  readonly state: string | undefined

  constructor(code: CaptureErrorCode, message: string, passing: boolean, state?: string) {
    super(message)
    this.code = code
    this.passing = passing
    this.state = state
  }
}

/** The slot is gone or its part of the log is. */
export class SlotLost extends Error {
  override readonly name = 'SlotLost'
}

interface ServerError {
  readonly code?: unknown
  readonly severity?: unknown
}

/** `secrets` are replaced in the text. */
export function problemOf(error: unknown, secrets: readonly string[]): CaptureProblem {
  if (error instanceof CaptureProblem) return error
  const { code } = error as ServerError
  const text = shortened(withoutSecrets(textOf(error), secrets))
  // A state has five characters, as some error codes of the system do (EPERM, EPIPE).
  const isState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code)
  if (!isState)
    return new CaptureProblem('database_unreachable', `the database did not answer: ${text}`, true)
  const { kind, passing } = STATES.find(({ pattern }) => pattern.test(code))!
  const isSenders = code === '53300' && /max_wal_senders/.test(text)
  if (kind === 'no_free_slot' || isSenders)
    return new CaptureProblem(
      'no_free_slot',
      `max_replication_slots or max_wal_senders is exhausted; raise them, or drop what is not used: ${text}`,
      false,
      code,
    )
  return new CaptureProblem(kind, `PostgreSQL: ${text} (${code})`, passing, code)
}

/** The first that fits. States that are not named are refusals of the server that stay. */
const STATES: readonly {
  readonly pattern: RegExp
  readonly kind: CaptureErrorCode
  readonly passing: boolean
}[] = [
  { pattern: /^42501$/, kind: 'insufficient_privilege', passing: false },
  { pattern: /^53400$/, kind: 'no_free_slot', passing: false },
  // The connection, the server's start and stop, missing resources, locks, an object in use.
  { pattern: /^(08|53|57|58|25006|55P03|55006|40|XX000)/, kind: 'database_unreachable', passing: true },
  { pattern: /./, kind: 'database_rejected', passing: false },
]

/** Whether the connection cannot be used any more. */
export function isConnectionLost(error: unknown): boolean {
  const { code, severity } = error as ServerError
  if (error instanceof CaptureProblem) return error.state === undefined
  return (
    typeof severity !== 'string' ||
    severity === 'FATAL' ||
    severity === 'PANIC' ||
    /^08|^57P/.test(String(code))
  )
}

/** A column, a table or a schema does not exist. */
const GONE: ReadonlySet<string> = new Set(['42703', '42P01', '3F000'])

/** Whether a column or a table of a statement was dropped or renamed after it was described. */
export function isGone(error: unknown): boolean {
  return error instanceof CaptureProblem && GONE.has(error.state ?? '')
}

/** Of a message of the server. It is stored, and shown with each status. */
const CHARACTERS_MAX = 1_000

function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return textOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

function shortened(text: string): string {
  return text.length > CHARACTERS_MAX ? `${text.slice(0, CHARACTERS_MAX)}…` : text
}

export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
}
