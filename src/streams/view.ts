/** A view: another way to read the bodies of a stream, as a table of its own. It is part of its stream, and deleted with it. */
import type { LogId } from '../../storage/log.ts'
import type { FormatSpecification } from '../formats/format-specification.ts'
import type { ViewName } from './names.ts'

export interface View {
  readonly name: ViewName
  readonly format: FormatSpecification
  /** Name of its table as it was given, or the default one; fixed once the view exists. */
  readonly tableName: string
  /** The last log that had been handed out when the view was made: shows which streams are older. */
  readonly afterLog: LogId
}

/** In the order in which they were made. */
export type StreamViews = ReadonlyMap<ViewName, View>

/** Ten thousand streams without views share one. */
export const NO_VIEWS: StreamViews = new Map()

/** The properties of a view that one request sets. */
export interface ViewSpecification {
  readonly format: FormatSpecification
  readonly tableName: string | undefined
}

/** The views of a stream are kept in one document with it. */
export const VIEWS_MAX = 256
/** Of the formats of all views of a stream, which are written together at each change; one that is alone may be longer. */
export const VIEW_FORMATS_CHARS_MAX = 2 * 1024 * 1024
