/**
 * The tables that queries can name: those of streams and of views. The table of a stream can be disabled, and some schemas
 * cannot become a table.
 */

import type { FormatSpecification } from '../formats/format-specification.ts'
import { ServiceError } from '../service-error.ts'
import { existingStream } from '../streams/existing.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { matchesName } from '../streams/ordered-streams.ts'
import type { Registry, Stream, VisibleNames } from '../streams/registry.ts'
import {
  describeClaim,
  type MayKnow,
  ownClaim,
  type TableClaim,
  tableOf,
  tablesOf,
  tablesOfStream,
} from '../streams/table-names.ts'
import { type Column, columnsOf, NoTable } from './columns.ts'
import { schemaOf } from './stream-table.ts'

export interface Table {
  readonly claim: TableClaim
  readonly columns: readonly Column[]
}

export class Tables {
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** The tables of the streams that the caller may know (undefined means all), in the order of the streams' names. */
  list(namespace: NamespaceName, mayKnow?: MayKnow): readonly TableClaim[] {
    return [...tablesOf(this.#registry, namespace, mayKnow).values()].filter(hasColumns)
  }

  /** The claims of visible streams, with or without columns, computed one by one. */
  *claims(namespace: NamespaceName, visible: VisibleNames): Generator<TableClaim> {
    const patterns = visible(namespace)
    const mayKnow = ({ stream }: StreamId) => matchesName(stream, patterns)
    for (const { id } of this.#registry.streamsMatching(namespace, patterns)) {
      const stream = this.#registry.find(namespace, id.stream)
      if (stream !== undefined) yield* tablesOfStream(this.#registry, stream, mayKnow) // undefined: deleted since
    }
  }

  find(namespace: NamespaceName, name: string, mayKnow?: MayKnow): Table | undefined {
    const claim = tableOf(this.#registry, namespace, name, mayKnow)
    if (claim === undefined) return undefined
    const columns = columnsOrReason(claim)
    return columns instanceof NoTable ? undefined : { claim, columns }
  }

  /** Enables the table of a stream. Rejects with 'stream_not_found', and with 'invalid_query' if the stream cannot have one. */
  enable(id: StreamId, mayKnow?: MayKnow): Promise<void> {
    return this.#registry.change(async () => {
      const stream = existingStream(this.#registry, id)
      const problem = this.#problemOf(stream, mayKnow)
      if (problem !== undefined) throw new ServiceError('invalid_query', problem)
      if (stream.tableDisabled) await this.#registry.putTableDisabled(stream, false)
    })
  }

  /** Disables the table of a stream until it is enabled; tables of views stay. Rejects with 'stream_not_found'. */
  disable(id: StreamId): Promise<void> {
    return this.#registry.change(async () => {
      const stream = existingStream(this.#registry, id)
      if (!stream.tableDisabled) await this.#registry.putTableDisabled(stream, true)
    })
  }

  /** The reason why the stream cannot have a table; undefined if it can. */
  #problemOf(stream: Stream, mayKnow: MayKnow | undefined): string | undefined {
    const own = ownClaim(stream)
    const owner = tableOf(this.#registry, stream.id.namespace, own.table, mayKnow)
    if (owner !== undefined && owner.stream !== stream && owner.view === undefined) {
      return `table ${own.table} is the one of ${describeClaim(owner)}, so ${describeClaim(own)} has none; disable that first`
    }
    const columns = columnsOrReason(own)
    return columns instanceof NoTable ? columns.message : undefined
  }
}

export function hasColumns(claim: TableClaim): boolean {
  return Array.isArray(columnsOrReason(claim))
}

/** Cached as long as the format is in use, because a schema may be long. */
export function columnsOrReason({ format }: TableClaim): readonly Column[] | NoTable {
  const known = KNOWN_COLUMNS.get(format) ?? readColumns(format)
  KNOWN_COLUMNS.set(format, known)
  return known
}

const KNOWN_COLUMNS = new WeakMap<FormatSpecification, readonly Column[] | NoTable>()

function readColumns(format: FormatSpecification): readonly Column[] | NoTable {
  try {
    return columnsOf(schemaOf(format))
  } catch (error) {
    if (error instanceof NoTable) return error
    throw error
  }
}
