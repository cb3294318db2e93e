/** Every JSON document that a request of the CDAP API may contain, by name. Worker threads load this file and its parsers alone. */
import type { MetadataQuestion } from '../../explore/jdbc-catalog.ts'
import { parseFeedDescription } from './feed-json.ts'
import { parseFormatDocument } from './format-json.ts'
import { parseQuestion } from './jdbc-json.ts'
import { parseMetadataProperties, parseMetadataTags } from './metadata-json.ts'
import { parseMetricsBatch } from './metrics-query.ts'
import { parseNamespaceChange } from './namespace-json.ts'
import { parseNewProperties, parsePropertiesChange } from './properties-json.ts'
import { parseQuery, parseSize } from './query-json.ts'
import { parseView } from './view-json.ts'
import { parseWebhook } from './webhook-json.ts'

export const CDAP_DOCUMENTS = {
  api: 'cdap',
  parsers: {
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
  },
  // A format may hold a pattern; a short pattern may take long to compile.
  slow: new Set(['newProperties', 'propertiesChange', 'view', 'format', 'formatIfAny'] as const),
} as const
