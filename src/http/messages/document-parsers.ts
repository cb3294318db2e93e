/**
 * Every JSON document that a request may bring, by name: the parsers that run on a worker thread when a document is long, or
 * may hold a pattern that is slow to compile. Arguments and results pass between threads, so they are plain values.
 */
import type { MetadataQuestion } from '../../explore/jdbc-catalog.ts'
import { parseFeedDescription } from '../cdap/feed-json.ts'
import { parseFormatDocument } from '../cdap/format-json.ts'
import { parseQuestion } from '../cdap/jdbc-json.ts'
import { parseMetadataProperties, parseMetadataTags } from '../cdap/metadata-json.ts'
import { parseMetricsBatch } from '../cdap/metrics-query.ts'
import { parseNamespaceChange } from '../cdap/namespace-json.ts'
import { parseNewProperties, parsePropertiesChange } from '../cdap/properties-json.ts'
import { parseQuery, parseSize } from '../cdap/query-json.ts'
import { parseView } from '../cdap/view-json.ts'
import { parseWebhook } from '../cdap/webhook-json.ts'

export const DOCUMENT_PARSERS = {
  newProperties: parseNewProperties,
  propertiesChange: parsePropertiesChange,
  view: parseView,
  format: (body: Uint8Array, depthMax: number) =>
    parseFormatDocument(body, 'Expected format in the body', depthMax),
  /** Undefined for an empty body. */
  formatIfAny: (body: Uint8Array, depthMax: number) =>
    body.length === 0 ? undefined : parseFormatDocument(body, 'Expected format in the body', depthMax),
  namespaceChange: parseNamespaceChange,
  metadataProperties: parseMetadataProperties,
  metadataTags: parseMetadataTags,
  feedDescription: parseFeedDescription,
  webhook: parseWebhook,
  query: parseQuery,
  size: parseSize,
  jdbcQuestion: (
    body: Uint8Array,
    depthMax: number,
    about: MetadataQuestion['about'],
    schema: string | undefined,
  ) => parseQuestion(about, schema, body, depthMax),
  metricsBatch: (body: Uint8Array, depthMax: number, nowMs: number) =>
    body.length === 0 ? undefined : parseMetricsBatch(body, depthMax, nowMs),
} as const

export type ParserName = keyof typeof DOCUMENT_PARSERS

type Tail<All extends readonly unknown[]> = All extends readonly [unknown?, unknown?, ...infer Rest]
  ? Rest
  : never
/** What a parser needs beside the body and the depth. */
export type ParserArguments<Name extends ParserName> = Tail<Parameters<(typeof DOCUMENT_PARSERS)[Name]>>
export type Parsed<Name extends ParserName> = ReturnType<(typeof DOCUMENT_PARSERS)[Name]>

/** Their documents may hold a format: a short pattern may take long to compile. */
export const WITH_FORMAT: ReadonlySet<ParserName> = new Set([
  'newProperties',
  'propertiesChange',
  'view',
  'format',
  'formatIfAny',
])
