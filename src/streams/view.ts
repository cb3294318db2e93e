/** A view: another way to read the bodies of a stream, with its own table. It belongs to its stream and is deleted with it. */
import type { LogId } from '../../storage/log.ts'
import type { FormatSpecification } from '../formats/format-specification.ts'
import type { ViewName } from './names.ts'

export interface View {
  readonly name: ViewName
  readonly format: FormatSpecification
  /** Name of its table as the client gave it, or the default name. It cannot be changed once the view exists. */
  readonly tableName: string
  /** The last LogId assigned before the view was created: it shows which streams are older. */
  readonly afterLog: LogId
}

/** In the order of their creation. */
export type StreamViews = ReadonlyMap<ViewName, View>

/** Shared by all streams without views. */
export const NO_VIEWS: StreamViews = new Map()

/** The properties of a view that one request sets. */
export interface ViewSpecification {
  readonly format: FormatSpecification
  readonly tableName: string | undefined
}

/** Limit per stream, because one document contains the stream and its views. */
export const VIEWS_MAX = 256
/**
 * Limit of the formats of all views of a stream, which each change writes together. The format of a single view may be
 * longer.
 */
export const VIEW_FORMATS_CHARS_MAX = 2 * 1024 * 1024
