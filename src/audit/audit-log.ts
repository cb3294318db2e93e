/**
 * The audit log: one line of JSON for each create, delete, truncate and change of properties, refused ones included, and
 * for each change of the token file.
 *
 *   {"audit":"stream.create","time":"2027-01-31T12:00:00.000Z","client":"shop","from":"10.0.0.7:40312",
 *    "namespace":"default","stream":"orders","status":200,"outcome":"done"}
 *   {"audit":"job.cancel",…,"namespace":"default","id":"b63c78c70033e00afa84de9029257e31","status":200,"outcome":"done"}
 *
 * Members come in this order; those that do not apply are left out.
 */

export type AuditAction =
  | 'stream.create'
  | 'stream.delete'
  | 'stream.truncate'
  | 'stream.properties'
  | 'view.put'
  | 'view.delete'
  | 'view.metadata'
  | 'table.enable'
  | 'table.disable'
  | 'stream.metadata'
  | 'webhook.register'
  | 'webhook.delete'
  | 'feed.create'
  | 'feed.delete'
  | 'namespace.create'
  | 'namespace.delete'
  | 'namespace.properties'
  | 'table.create'
  | 'table.delete'
  | 'job.create'
  | 'job.cancel'
  | 'job.stop'
  | 'job.savepoint'
  | 'job.checkpoint'
  | 'savepoint.delete'
  | 'cluster.stop'
  | 'jar.upload'
  | 'jar.delete'
  | 'integration.create'
  | 'integration.update'
  | 'integration.delete'
  | 'connection.create'
  | 'connection.delete'
  | 'query.create'
  | 'query.delete'
  | 'deployment.create'
  | 'deployment.update'
  | 'deployment.delete'
  | 'target.create'
  | 'target.delete'
  | 'defaults.update'
  | 'savepoint.create'
  | 'secret.create'
  | 'secret.update'
  | 'secret.delete'
  | 'script.execute'
  | 'token.create'
  | 'token.delete'

export interface AuditEntry {
  readonly action: AuditAction
  /** Name of the token; null without a valid one; undefined where the service asks for none. */
  readonly client: string | null | undefined
  /** Address and port at the other end of the connection. */
  readonly from: string
  /** The client's address as a proxy states it. Any client can send this header. */
  readonly forwardedFor?: string | undefined
  /** Undefined if the request was refused before its namespace was known. */
  readonly namespace: string | undefined
  readonly stream?: string | undefined
  /** Of a table, a job or an integration; the name of a connection or a cached query. */
  readonly id?: string | undefined
  /** Status of the answer. */
  readonly status: number
}

export interface AuditOptions {
  readonly nowMs: () => number
  /** Takes one line with its line end. */
  readonly write: (line: string) => void
}

/** Texts that clients choose are cut here; valid names are shorter. */
const TEXT_CHARACTERS_MAX = 1024
/** Lines a minute without a valid token: such attempts must not fill the disk. */
const UNAUTHENTICATED_PER_MINUTE_MAX = 60
const MINUTE_MS = 60_000

export class AuditLog {
  readonly #options: AuditOptions
  #minute = 0
  #unauthenticated = 0
  #unrecorded = 0

  constructor(options: AuditOptions) {
    this.#options = options
  }

  record({ action, client, from, forwardedFor, namespace, stream, id, status }: AuditEntry): void {
    if (client === null && this.#tooMany()) return
    this.#write(action, {
      client,
      from,
      forwardedFor: cut(forwardedFor),
      namespace: cut(namespace),
      stream: cut(stream),
      id: cut(id),
      status,
      outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    })
  }

  /** The names of tokens that became valid, became invalid, or got other rights. */
  tokensChanged(change: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly changed: readonly string[]
  }): void {
    this.#write('tokens', { added: change.added, removed: change.removed, changed: change.changed })
  }

  /** Counts the lines it omits, and writes the count with the first attempt after the minute. */
  #tooMany(): boolean {
    const minute = Math.floor(this.#options.nowMs() / MINUTE_MS)
    if (minute !== this.#minute) {
      if (this.#unrecorded > 0) this.#write('unauthenticated', { unrecorded: this.#unrecorded })
      this.#minute = minute
      this.#unauthenticated = 0
      this.#unrecorded = 0
    }
    if (this.#unauthenticated < UNAUTHENTICATED_PER_MINUTE_MAX) {
      this.#unauthenticated++
      return false
    }
    this.#unrecorded++
    return true
  }

  #write(audit: string, members: object): void {
    const time = new Date(this.#options.nowMs()).toISOString()
    this.#options.write(`${JSON.stringify({ audit, time, ...members })}\n`)
  }
}

function cut(text: string | undefined): string | undefined {
  return text !== undefined && text.length > TEXT_CHARACTERS_MAX
    ? `${text.slice(0, TEXT_CHARACTERS_MAX)}…`
    : text
}
