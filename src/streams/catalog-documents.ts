/**
 * The catalog's JSON documents for streams and namespaces. Defaults are left out, so that ten thousand plain streams
 * cost little and share one object when they are read back.
 *
 *   stream:    {"log": number, "createdMs"?: number, "ttlSeconds"?: string, "format"?: {"name", "schema", "settings": [[key, value], …]},
 *               "notificationThresholdMb"?: number, "description"?: string, "principal"?: string}
 *   namespace: {"description": string, "config": [[key, value], …], "principal"?: string, "keytabUri"?: string}
 */
import assert from 'node:assert'
import type { LogId } from '../../storage/log.ts'
import type { NamespaceProperties } from './namespace.ts'
import {
  DEFAULT_PROPERTIES,
  mergeProperties,
  type PropertiesChange,
  type StreamProperties,
} from './properties.ts'

interface StreamDocument {
  readonly log: LogId
  /** Missing where the stream was made by a version that did not note it, or came out of a backup. */
  readonly createdMs?: number
  readonly ttlSeconds?: string
  readonly format?: { readonly name: string; readonly schema: string; readonly settings: [string, string][] }
  readonly notificationThresholdMb?: number
  readonly description?: string
  readonly principal?: string
}

export function encodeStreamDocument(
  log: LogId,
  properties: StreamProperties,
  createdMs?: number,
): StreamDocument {
  const { ttlSeconds, format, notificationThresholdMb, description, principal } = properties
  return {
    log,
    ...(createdMs !== undefined && { createdMs }),
    ...(ttlSeconds !== DEFAULT_PROPERTIES.ttlSeconds && { ttlSeconds: String(ttlSeconds) }),
    ...(format !== DEFAULT_PROPERTIES.format && { format: { ...format, settings: [...format.settings] } }),
    ...(notificationThresholdMb !== DEFAULT_PROPERTIES.notificationThresholdMb && {
      notificationThresholdMb,
    }),
    ...(description !== undefined && { description }),
    ...(principal !== undefined && { principal }),
  }
}

export function decodeStreamDocument(
  id: string,
  document: unknown,
): { log: LogId; createdMs: number | undefined; properties: StreamProperties } {
  assert(isStreamDocument(document), `catalog document of stream ${id} has no log`)
  const { log, createdMs, ttlSeconds, format, ...rest } = document
  const change: PropertiesChange = {
    ...(ttlSeconds !== undefined && { ttlSeconds: BigInt(ttlSeconds) }),
    ...(format !== undefined && { format: { ...format, settings: new Map(format.settings) } }),
    ...rest,
  }
  return { log, createdMs, properties: mergeProperties(DEFAULT_PROPERTIES, change) }
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
): document is Omit<NamespaceProperties, 'config'> & { readonly config: [string, string][] } {
  return (
    typeof document === 'object' &&
    document !== null &&
    'config' in document &&
    Array.isArray(document.config)
  )
}
