/** The documents of a closed store, decoded one by one: their content, and the problems of those that cannot be decoded. */
import type { CatalogChange } from '../../storage/catalog.ts'
import type { LogId } from '../../storage/log.ts'
import { isTerminal } from '../jobs/job.ts'
import { decodeJobDocument, JOB_EPOCHS, JOBS, type JobRecord } from '../jobs/job-record.ts'
import { decodeNamespaceDocument, decodeStreamDocument } from '../streams/catalog-documents.ts'
import {
  DEFAULT_NAMESPACE,
  type NamespaceName,
  parseNamespaceName,
  parseStreamName,
  streamKey,
} from '../streams/names.ts'
import type { NamespaceProperties } from '../streams/namespace.ts'
import type { Stream } from '../streams/registry.ts'

const NOT_SAVED = new RegExp(`^(?:meter-.*|stretches|${JOB_EPOCHS})$`)

/** A stream as its document has it. */
export type StoredStream = Omit<Stream, 'createdMs' | 'counts' | 'isReplaced' | 'writer'>

export class CatalogContent {
  readonly namespaces = new Map<NamespaceName, NamespaceProperties>()
  /** By their log. */
  readonly streams = new Map<LogId, StoredStream>()
  /** Jobs that have not ended. Their states belong to the store from which they come. */
  readonly liveJobs: JobRecord[] = []
  /** Documents of other modules, as they are; without live jobs, epochs of jobs, metrics and stretches, whose logs a repaired store does not have. */
  readonly others: CatalogChange[] = []
  /** The last LogId that was handed out. */
  lastLog = 0
  readonly #onProblem: (problem: string) => void

  constructor(onProblem: (problem: string) => void) {
    this.#onProblem = onProblem
  }

  take(collection: string, id: string, text: string): void {
    try {
      this.#decode(collection, id, JSON.parse(text))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#onProblem(`document ${collection}/${id} cannot be read: ${reason}`)
    }
  }

  /** Reports contradictions between documents. `highestLog` is the highest LogId that anything on disk has. */
  checkTogether(highestLog: LogId): void {
    for (const { id, log } of this.streams.values()) {
      const { namespace } = id
      if (namespace !== DEFAULT_NAMESPACE && !this.namespaces.has(namespace)) {
        this.#onProblem(`the namespace of stream ${streamKey(id)} is missing`)
      }
      if (log > this.lastLog) this.#onProblem(`the log of stream ${streamKey(id)} has never been handed out`)
    }
    if (highestLog > this.lastLog) {
      this.#onProblem(`counters/logs is ${this.lastLog}, and there is a log ${highestLog}`)
    }
  }

  /** `stream default:logs`, or the number of a log that no stream points to. */
  nameOfLog(log: LogId): string {
    const stream = this.streams.get(log)
    return stream === undefined ? `log ${log}, which no stream points to` : `stream ${streamKey(stream.id)}`
  }

  #decode(collection: string, id: string, document: unknown): void {
    if (collection === 'namespaces') {
      this.namespaces.set(parseNamespaceName(id), decodeNamespaceDocument(id, document))
    } else if (collection === 'streams') {
      this.#addStream(id, document)
    } else if (collection === 'counters' && id === 'logs') {
      if (!Number.isSafeInteger(document)) throw new Error('it is no whole number')
      this.lastLog = document as number
    } else if (collection === JOBS) {
      const job = decodeJobDocument(id, document)
      if (isTerminal(job.state)) this.others.push({ collection, id, document })
      else this.liveJobs.push(job)
    } else if (!NOT_SAVED.test(collection)) {
      this.others.push({ collection, id, document })
    }
  }

  #addStream(name: string, document: unknown): void {
    const colon = name.indexOf(':')
    const namespace = parseNamespaceName(name.slice(0, colon))
    const id = { namespace, stream: parseStreamName(name.slice(colon + 1)) }
    const stored = decodeStreamDocument(name, document)
    const { log } = stored
    const other = this.streams.get(log)
    if (other !== undefined) throw new Error(`its log belongs to stream ${streamKey(other.id)}`)
    this.streams.set(log, { id, ...stored })
  }
}
