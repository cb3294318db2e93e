/** The views service: operations on the views of a stream. */

import type { FormatSpecification } from '../formats/format-specification.ts'
import { ServiceError } from '../service-error.ts'
import { existingStream, existingView, printEntity } from './existing.ts'
import type { StreamId, ViewName } from './names.ts'
import type { Registry, Stream } from './registry.ts'
import { defaultTableOfView, isStreamTableName, type MayKnow, tableOf } from './table-names.ts'
import { VIEW_FORMATS_CHARS_MAX, VIEWS_MAX, type View, type ViewSpecification } from './view.ts'

export class Views {
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** In the order of their creation. */
  list(id: StreamId): readonly View[] {
    return [...this.#stream(id).views.values()]
  }

  get(id: StreamId, name: ViewName): View {
    return existingView(this.#stream(id), name)
  }

  /**
   * Creates a view. An existing view gets the format and keeps its table. Rejects with 'invalid_properties' if the view
   * cannot have that table name. `mayKnow`: the streams for which the client has a grant; an error must not reveal
   * others.
   */
  put(
    id: StreamId,
    name: ViewName,
    { format, tableName }: ViewSpecification,
    mayKnow?: MayKnow,
  ): Promise<'created' | 'updated'> {
    return this.#registry.change(async () => {
      const stream = this.#stream(id)
      const existing = stream.views.get(name)
      assertFormatsFit(stream, name, format)
      if (existing !== undefined) {
        if (tableName !== undefined && tableName !== existing.tableName) {
          throw refused(`Cannot change table name for view ${printEntity({ ...id, view: name })}`)
        }
        await this.#registry.putViews(stream, new Map(stream.views).set(name, { ...existing, format }))
        return 'updated'
      }
      if (stream.views.size >= VIEWS_MAX) {
        throw refused(`stream ${id.stream} has ${VIEWS_MAX} views already, which is as many as it may have`)
      }
      const table = tableName ?? defaultTableOfView(id.stream, name)
      this.#assertFree(id, name, table, mayKnow)
      const view: View = { name, format, tableName: table, afterLog: this.#registry.lastLog }
      await this.#registry.putViews(stream, new Map(stream.views).set(name, view))
      return 'created'
    })
  }

  delete(id: StreamId, name: ViewName): Promise<void> {
    return this.#registry.change(async () => {
      const stream = this.#stream(id)
      existingView(stream, name)
      await this.#registry.removeView(stream, name)
    })
  }

  /** A taken name and a reserved name have the same error text, so that it does not reveal which streams exist. */
  #assertFree({ namespace, stream }: StreamId, view: ViewName, tableName: string, mayKnow?: MayKnow): void {
    const isDefault = tableName.toLowerCase() === defaultTableOfView(stream, view)
    const isFree = isDefault
      ? tableOf(this.#registry, namespace, tableName, mayKnow) === undefined
      : !isStreamTableName(tableName) && tableOf(this.#registry, namespace, tableName) === undefined
    if (isFree) return
    throw refused(
      `view ${view} of stream ${stream} cannot have table ${tableName.toLowerCase()}: it is another's, or begins with stream_; use another tableName`,
    )
  }

  #stream(id: StreamId): Stream {
    return existingStream(this.#registry, id)
  }
}

function assertFormatsFit({ id, views }: Stream, name: ViewName, format: FormatSpecification): void {
  let others = 0
  for (const view of views.values()) if (view.name !== name) others += charsOf(view.format)
  const chars = others + charsOf(format)
  if (others === 0 || chars <= VIEW_FORMATS_CHARS_MAX) return
  throw refused(
    `the formats of the views of stream ${id.stream} would have ${chars} characters; keep them within ${VIEW_FORMATS_CHARS_MAX}`,
  )
}

function charsOf({ name, schema, settings }: FormatSpecification): number {
  let chars = name.length + schema.length
  for (const [key, value] of settings) chars += key.length + value.length
  return chars
}

function refused(message: string): ServiceError {
  return new ServiceError('invalid_properties', message)
}
