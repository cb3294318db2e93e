/** Checks the options of a table and makes its connector of them. Which columns they may name is in connector-columns.ts. */
import { ServiceError } from '../service-error.ts'
import { NAME_BYTES_MAX, STREAM_NAME } from '../streams/names.ts'
import { parseDatabaseTableName } from './database-table-name.ts'
import { parseDurationMs } from './duration.ts'
import { type OptionNaming, Options } from './options.ts'
import { invalid, shown } from './refusal.ts'
import type { Connector, Integration, IntegrationKind, KeyFormat, ValueFormat } from './table.ts'
import type { ConnectorRequest } from './table-service.ts'

const VALUE_FORMATS = ['json', 'avro', 'csv', 'raw', 'debezium-json'] as const satisfies ValueFormat[]
const KEY_FORMATS = ['json', 'avro', 'csv', 'raw'] as const satisfies KeyFormat[]
const REGISTRY_FORMATS = ['avro-confluent', 'debezium-avro-confluent', 'protobuf-confluent', 'json-confluent']
const KEY_FIELDS_MAX = 100

const LOOKUP_CACHE_TTL_MS_MAX = 7 * 86_400_000
const LOOKUP_CACHE_ROWS_DEFAULT = 10_000
/** The rows are in the memory of the job. */
const LOOKUP_CACHE_ROWS_MAX = 1_000_000
/** As in Flink. */
const DATAGEN_ROWS_PER_SECOND_DEFAULT = 10_000
const DATAGEN_ROWS_PER_SECOND_MAX = 1_000_000

/** What an integration of each kind can hold. */
const HOLDS: Readonly<
  Record<ConnectorRequest['kind'], { readonly what: string; readonly kinds: readonly IntegrationKind[] }>
> = {
  kafka: { what: 'a topic', kinds: ['stream', 'kafka'] },
  upsert_kafka: { what: 'a topic', kinds: ['stream', 'kafka'] },
  jdbc: { what: 'a database table', kinds: ['postgres'] },
  opensearch: { what: 'an index', kinds: [] },
  datagen: { what: 'a datagen table', kinds: ['stream'] },
  print: { what: 'a print table', kinds: ['stream'] },
  blackhole: { what: 'a blackhole table', kinds: ['stream'] },
}

/** Throws ServiceError 'invalid_table', 'unsupported'. */
export function checkedConnector(
  { kind, options }: ConnectorRequest,
  integration: Pick<Integration, 'id' | 'kind'>,
  named: OptionNaming = (member) => `${kind}.${member}`,
): Connector {
  const { what, kinds } = HOLDS[kind]
  if (!kinds.includes(integration.kind)) {
    throw invalid(`integration ${integration.id} is of kind ${integration.kind} and cannot hold ${what}`)
  }
  const given = new Options(named, options)
  const connector = parseConnector(kind, given, integration.kind)
  given.assertAllTaken()
  return connector
}

function parseConnector(
  kind: ConnectorRequest['kind'],
  options: Options,
  system: IntegrationKind,
): Connector {
  switch (kind) {
    case 'kafka':
      return topicOf(options, system)
    case 'upsert_kafka':
      return upsertTopicOf(options, system)
    case 'jdbc':
      return jdbcOf(options)
    case 'datagen':
      return datagenOf(options)
    case 'print':
    case 'blackhole':
      return { kind }
    case 'opensearch':
      throw new Error('no integration can hold an index')
  }
}

function topicOf(options: Options, system: IntegrationKind): Connector {
  const startup = options.oneOf('scan_startup_mode', ['earliest-offset', 'latest-offset'])
  const common = {
    kind: 'topic',
    topic: topicName(options, system),
    startup: startup === 'latest-offset' ? 'latest' : 'earliest',
    valueFormat: format(options, 'value_format', VALUE_FORMATS) ?? 'json',
    keyFormat: format(options, 'key_format', KEY_FORMATS),
    keyFields: keyFieldsOf(options),
    valueFieldsInclude: options.oneOf('value_fields_include', ['ALL', 'EXCEPT_KEY']) ?? 'ALL',
  } as const
  if (common.keyFields.length > 0 && common.keyFormat === undefined) {
    throw invalid(`${options.named('key_fields')} needs ${options.named('key_format')}`)
  }
  if (common.keyFields.length === 0 && common.keyFormat !== undefined) {
    throw invalid(`${options.named('key_format')} needs ${options.named('key_fields')}`)
  }
  if (common.keyFields.length === 0 && common.valueFieldsInclude === 'EXCEPT_KEY') {
    throw invalid(`${options.named('value_fields_include')} EXCEPT_KEY needs ${options.named('key_fields')}`)
  }
  return common
}

function upsertTopicOf(options: Options, system: IntegrationKind): Connector {
  const topic = topicName(options, system)
  const startup = options.text('scan_startup_mode')
  if (startup !== undefined && startup !== 'earliest-offset') {
    throw options.wrong(
      'scan_startup_mode',
      startup,
      'earliest-offset: an upsert table is always read from its start',
    )
  }
  const valueFormat = format(options, 'value_format', VALUE_FORMATS) ?? 'json'
  if (valueFormat === 'debezium-json') {
    throw invalid(
      `${options.named('value_format')} cannot be debezium-json; use kafka for a topic of changes`,
    )
  }
  return {
    kind: 'upsert-topic',
    topic,
    valueFormat,
    keyFormat: format(options, 'key_format', KEY_FORMATS) ?? 'json',
    keyFields: keyFieldsOf(options),
    valueFieldsInclude: options.oneOf('value_fields_include', ['ALL', 'EXCEPT_KEY']) ?? 'ALL',
  }
}

const STREAM = new RegExp(`^${STREAM_NAME}$`)
const TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/

function topicName(options: Options, system: IntegrationKind): string {
  const topic = options.requiredText('topic')
  if (system === 'stream') {
    if (STREAM.test(topic) && topic.length <= NAME_BYTES_MAX) return topic
    throw invalid(`topic ${shown(topic)} is not the id of a stream; use letters, digits, _ and -`)
  }
  if (TOPIC.test(topic)) return topic
  throw invalid(
    `topic ${shown(topic)} is not the name of a Kafka topic; use up to 249 letters, digits, '.', _ and -`,
  )
}

function format<T extends string>(options: Options, name: string, formats: readonly T[]): T | undefined {
  const value = options.text(name)
  if (value === undefined || formats.includes(value as T)) return value as T | undefined
  if (REGISTRY_FORMATS.includes(value)) {
    throw new ServiceError('unsupported', `format ${value} needs a schema registry, which is not supported`)
  }
  throw options.wrong(name, value, formats.join(', '))
}

function keyFieldsOf(options: Options): readonly string[] {
  const fields = options.texts('key_fields')
  if (fields.length > KEY_FIELDS_MAX)
    throw invalid(`key_fields has ${fields.length} columns; use at most ${KEY_FIELDS_MAX}`)
  const twice = fields.find((field, index) => fields.indexOf(field) !== index)
  if (twice !== undefined) throw invalid(`key_fields has column ${shown(twice)} twice`)
  return [...fields]
}

function jdbcOf(options: Options): Connector {
  const tableName = options.requiredText('table_name')
  const name = parseDatabaseTableName(tableName)
  if (typeof name === 'string')
    throw invalid(`${options.named('table_name')} is ${shown(tableName)}; ${name}`)
  const lookupCacheTtlMs = durationMs(options, 'lookup_cache_ttl', LOOKUP_CACHE_TTL_MS_MAX)
  const rows = options.wholeNumber('lookup_cache_max_rows', 1, LOOKUP_CACHE_ROWS_MAX)
  if (rows !== undefined && lookupCacheTtlMs === undefined) {
    throw invalid(`${options.named('lookup_cache_max_rows')} needs ${options.named('lookup_cache_ttl')}`)
  }
  return {
    kind: 'jdbc',
    tableName,
    ...name,
    lookupCacheTtlMs: lookupCacheTtlMs ?? 0,
    lookupCacheRowsMax: lookupCacheTtlMs === undefined ? 0 : (rows ?? LOOKUP_CACHE_ROWS_DEFAULT),
  }
}

function durationMs(options: Options, name: string, mostMs: number): number | undefined {
  const value = options.take(name)
  if (value === undefined) return undefined
  const ms =
    typeof value === 'string' || typeof value === 'number' ? parseDurationMs(String(value)) : undefined
  if (ms !== undefined && ms <= mostMs) return ms
  throw options.wrong(name, value, `a duration such as 10 min, at most ${mostMs / 86_400_000} d`)
}

function datagenOf(options: Options): Connector {
  const rowsPerSecond = options.wholeNumber('rows_per_second', 1, DATAGEN_ROWS_PER_SECOND_MAX)
  const rowsMax = options.wholeNumber('number_of_rows', 1, Number.MAX_SAFE_INTEGER)
  const fields = options.take('fields') ?? {}
  if (!isObject(fields)) throw options.wrong('fields', fields, 'an object with a member for each column')
  const checked = Object.entries(fields).map(
    ([name, field]) => [name, datagenField(name, field, options.named)] as const,
  )
  return {
    kind: 'datagen',
    rowsPerSecond: rowsPerSecond ?? DATAGEN_ROWS_PER_SECOND_DEFAULT,
    rowsMax,
    fields: Object.fromEntries(checked),
  }
}

const NUMBER = /^-?[0-9]{1,30}(\.[0-9]{1,30})?$/

function datagenField(name: string, given: unknown, named: OptionNaming): Readonly<Record<string, string>> {
  const place = `fields.${name.slice(0, 60)}`
  if (!isObject(given)) throw invalid(`${named(place)} is ${shown(given)}; use an object`)
  const options = new Options((member) => named(`${place}.${member}`), given)
  const kind = options.oneOf('kind', ['random', 'sequence']) ?? 'random'
  const field: Record<string, string> = { kind }
  for (const member of kind === 'sequence' ? ['start', 'end'] : ['min', 'max', 'length']) {
    const value = options.take(member)
    if (value === undefined) {
      if (kind === 'sequence')
        throw invalid(`${options.named(member)} is missing; a sequence needs start and end`)
      continue
    }
    const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
    if (!NUMBER.test(text)) throw options.wrong(member, value, 'a number')
    field[member] = text
  }
  options.assertAllTaken()
  return field
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
