/**
 * The catalog's JSON documents for streams and namespaces. Defaults are omitted, so that ten thousand streams with
 * default properties take little space and share one object in memory.
 *
 *   stream:    {"log": number, "createdMs"?: number, "ttlSeconds"?: string, "format"?: {"name", "schema", "settings": [[key, value], …]},
 *               "notificationThresholdMb"?: number, "description"?: string, "principal"?: string,
 *               "firstLog"?: number, "views"?: [{"name", "format", "tableName", "afterLog"}, …], "tableDisabled"?: true}
 *   namespace: {"description": string, "config": [[key, value], …], "principal"?: string, "keytabUri"?: string}
 *              a value is a string, a boolean, or {"number": its source text}
 */
import assert from 'node:assert'
import type { LogId } from '../../storage/log.ts'
import type { FormatSpecification } from '../formats/format-specification.ts'
import { trustedName, type ViewName } from './names.ts'
import type { NamespaceProperties, SettingValue } from './namespace.ts'
import {
  DEFAULT_PROPERTIES,
  mergeProperties,
  type PropertiesChange,
  type StreamProperties,
} from './properties.ts'
import { NO_VIEWS, type StreamViews, type View } from './view.ts'

interface FormatDocument {
  readonly name: string
  readonly schema: string
  readonly settings: [string, string][]
}

interface StreamDocument {
  readonly log: LogId
  /** Missing if the stream was created by a version that did not record the time, or was imported from a backup. */
  readonly createdMs?: number
  readonly ttlSeconds?: string
  readonly format?: FormatDocument
  readonly notificationThresholdMb?: number
  readonly description?: string
  readonly principal?: string
  /** Missing if the stream still has its first log. */
  readonly firstLog?: LogId
  readonly views?: readonly ViewDocument[]
  readonly tableDisabled?: boolean
}

interface ViewDocument {
  readonly name: string
  readonly format: FormatDocument
  readonly tableName: string
  readonly afterLog: LogId
}

export interface StoredStream {
  readonly log: LogId
  /** Milliseconds since 1970; undefined if it was not recorded. */
  readonly createdMs: number | undefined
  readonly firstLog: LogId
  readonly properties: StreamProperties
  readonly views: StreamViews
  readonly tableDisabled: boolean
}

export function encodeStreamDocument(stream: StoredStream): StreamDocument {
  const { log, createdMs, firstLog, properties, views, tableDisabled } = stream
  const { ttlSeconds, format, notificationThresholdMb, description, principal } = properties
  return {
    log,
    ...(createdMs !== undefined && { createdMs }),
    ...(ttlSeconds !== DEFAULT_PROPERTIES.ttlSeconds && { ttlSeconds: String(ttlSeconds) }),
    ...(format !== DEFAULT_PROPERTIES.format && { format: encodeFormat(format) }),
    ...(notificationThresholdMb !== DEFAULT_PROPERTIES.notificationThresholdMb && {
      notificationThresholdMb,
    }),
    ...(description !== undefined && { description }),
    ...(principal !== undefined && { principal }),
    ...(firstLog !== log && { firstLog }),
    ...(views.size > 0 && {
      views: [...views.values()].map((view) => ({ ...view, format: encodeFormat(view.format) })),
    }),
    ...(tableDisabled && { tableDisabled }),
  }
}

export function decodeStreamDocument(id: string, document: unknown): StoredStream {
  assert(isStreamDocument(document), `catalog document of stream ${id} has no log`)
  const { log, createdMs, ttlSeconds, format, firstLog, views, tableDisabled = false, ...rest } = document
  const change: PropertiesChange = {
    ...(ttlSeconds !== undefined && { ttlSeconds: BigInt(ttlSeconds) }),
    ...(format !== undefined && { format: decodeFormat(format) }),
    ...rest,
  }
  return {
    log,
    createdMs,
    firstLog: firstLog ?? log,
    properties: mergeProperties(DEFAULT_PROPERTIES, change),
    views: views === undefined ? NO_VIEWS : new Map(views.map(decodeView).map((view) => [view.name, view])),
    tableDisabled,
  }
}

function decodeView({ name, format, ...rest }: ViewDocument): View {
  return { name: trustedName<ViewName>(name), format: decodeFormat(format), ...rest }
}

function encodeFormat(format: FormatSpecification): FormatDocument {
  return { ...format, settings: [...format.settings] }
}

function decodeFormat(format: FormatDocument): FormatSpecification {
  return { ...format, settings: new Map(format.settings) }
}

export function encodeNamespaceDocument(properties: NamespaceProperties): unknown {
  return { ...properties, config: [...properties.config] }
}

export function decodeNamespaceDocument(id: string, document: unknown): NamespaceProperties {
  assert(isNamespaceDocument(document), `catalog document of namespace ${id} has no config`)
  return { ...document, config: new Map(document.config) }
}

function isStreamDocument(document: unknown): document is StreamDocument {
  return (
    typeof document === 'object' && document !== null && 'log' in document && typeof document.log === 'number'
  )
}

function isNamespaceDocument(
  document: unknown,
): document is Omit<NamespaceProperties, 'config'> & { readonly config: [string, SettingValue][] } {
  return (
    typeof document === 'object' &&
    document !== null &&
    'config' in document &&
    Array.isArray(document.config)
  )
}
