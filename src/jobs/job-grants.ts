/** The grants that a job needs for the streams of its tables, as the streams are now. */
import { ServiceError } from '../service-error.ts'
import type { StreamId } from '../streams/names.ts'
import type { Streams } from '../streams/streams.ts'
import type { Table } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import { missingGrant, type NeededGrant, type TokenNamed } from './job-access.ts'
import { hasRun, type JobRecord } from './job-record.ts'
import { streamOf } from './job-tables.ts'

export interface JobGrantsParts {
  readonly streams: Streams
  readonly tables: TableService
  readonly named: TokenNamed
}

/** Ids of tables, in the order of the statement. `enteredMs` is missing for a job that is not created yet. */
type Uses = Pick<JobRecord, 'reads' | 'writes'> & Partial<Pick<JobRecord, 'enteredMs'>>

export class JobGrants {
  readonly #parts: JobGrantsParts

  constructor(parts: JobGrantsParts) {
    this.#parts = parts
  }

  /** Throws ServiceError 'stream_written' and 'no_grant'. `tables` are those of `uses`. */
  assert(owner: string | undefined, tables: readonly Table[], uses: Uses): void {
    this.#assertWritable(tables, uses)
    const missing = missingGrant(owner, this.#needed(tables, uses), this.#parts.named)
    if (missing !== undefined) throw new ServiceError('no_grant', missing)
  }

  /** What a job that runs lacks, as a sentence; undefined if it lacks nothing. `tables` are those of the job: one that is gone needs nothing. */
  missing(record: JobRecord, tables: readonly Table[]): string | undefined {
    // A stream that is deleted while the job runs is not created again.
    const needed = this.#needed(tables, record).filter(({ role }) => role !== 'admin')
    return missingGrant(record.owner, needed, this.#parts.named)
  }

  /** Some streams are written by one part of the service, which is not a job of the catalog's tables. */
  #assertWritable(tables: readonly Table[], { writes }: Uses): void {
    const { streams } = this.#parts
    for (const table of tables) {
      const stream = writes.includes(table.id) ? streamOf(table, this.#parts.tables) : undefined
      if (stream !== undefined && streams.has(stream)) streams.getWritable(stream)
    }
  }

  /** In the order of the statement: reads, then writes. */
  #needed(tables: readonly Table[], { reads, writes, enteredMs }: Uses): NeededGrant[] {
    const streamOfTable = (id: string) => {
      const table = tables.find((one) => one.id === id)
      return table && streamOf(table, this.#parts.tables)
    }
    const isMissing = (stream: StreamId) => !this.#parts.streams.has(stream)
    const needed: NeededGrant[] = []
    for (const id of reads) {
      const stream = streamOfTable(id)
      if (stream === undefined) continue
      needed.push({ role: 'read', stream })
      if (!hasRun(enteredMs) && isMissing(stream)) needed.push({ role: 'admin', stream })
    }
    for (const id of writes) {
      const stream = streamOfTable(id)
      if (stream === undefined) continue
      needed.push({ role: 'write', stream })
      if (isMissing(stream)) needed.push({ role: 'admin', stream })
    }
    return needed
  }
}
