/**
 * The options that each connector of `CREATE TABLE … WITH (…)` has, by their names in Flink. Options of Flink that have no effect here are
 * accepted, so that its statements can be used; a value that would change results is refused when a statement uses the table.
 */
import { invalid, shown } from './refusal.ts'

/** By name. */
export type OptionTexts = Readonly<Record<string, string>>

export const CONNECTORS = [
  'stream',
  'kafka',
  'upsert-kafka',
  'jdbc',
  'datagen',
  'print',
  'blackhole',
] as const
export type ConnectorName = (typeof CONNECTORS)[number]

export type OptionRule =
  /** A member of the connector's request (connector-options.ts). */
  | { readonly member: string }
  /** How the system is reached (own-connection.ts). */
  | 'connection'
  /** Without effect; undefined: every value. */
  | { readonly only: readonly string[] | undefined }

const ANY: OptionRule = { only: undefined }
const only = (...values: string[]): OptionRule => ({ only: values })

const FORMAT_RULES: Readonly<Record<string, OptionRule>> = {
  'json.fail-on-missing-field': only('false'),
  'json.ignore-parse-errors': ANY,
  'json.timestamp-format.standard': only('SQL'),
  'json.map-null-key.mode': ANY,
  'json.map-null-key.literal': ANY,
  'json.encode.decimal-as-plain-number': ANY,
  'json.encode.ignore-null-fields': only('false'),
  'csv.field-delimiter': only(','),
  'csv.disable-quote-character': only('false'),
  'csv.quote-character': only('"'),
  'csv.allow-comments': only('false'),
  'csv.ignore-parse-errors': ANY,
  'csv.null-literal': only(''),
  'avro.encoding': only('binary'),
  'debezium-json.schema-include': only('false'),
  'debezium-json.ignore-parse-errors': ANY,
  'debezium-json.timestamp-format.standard': only('SQL'),
  'raw.charset': only('UTF-8'),
}

const TOPIC: Readonly<Record<string, OptionRule>> = {
  'value.format': { member: 'value_format' },
  format: { member: 'value_format' },
  'key.format': { member: 'key_format' },
  'value.fields-include': { member: 'value_fields_include' },
  'sink.parallelism': ANY,
  'scan.parallelism': ANY,
}

const STARTUP: Readonly<Record<string, OptionRule>> = {
  'scan.startup.mode': { member: 'scan_startup_mode' },
  'key.fields': { member: 'key_fields' },
}

const INTEGRATION: Readonly<Record<string, OptionRule>> = { integration: 'connection' }

const BROKER: Readonly<Record<string, OptionRule>> = {
  ...INTEGRATION,
  topic: { member: 'topic' },
  'topic-pattern': only(),
  'key.fields-prefix': only(''),
  'scan.bounded.mode': only('unbounded'),
  'scan.topic-partition-discovery.interval': ANY,
  'sink.partitioner': ANY,
  'sink.delivery-guarantee': only('at-least-once', 'none'),
  'sink.transactional-id-prefix': ANY,
}

const NAMES: Readonly<Record<ConnectorName, Readonly<Record<string, OptionRule>>>> = {
  stream: { stream: { member: 'topic' }, ...TOPIC, ...STARTUP },
  kafka: {
    ...BROKER,
    ...TOPIC,
    ...STARTUP,
    'scan.startup.specific-offsets': only(),
    'scan.startup.timestamp-millis': only(),
    'sink.semantic': only('at-least-once', 'none'),
  },
  'upsert-kafka': {
    ...BROKER,
    ...TOPIC,
    'sink.buffer-flush.interval': ANY,
    'sink.buffer-flush.max-rows': ANY,
  },
  jdbc: {
    ...INTEGRATION,
    url: 'connection',
    username: 'connection',
    password: 'connection',
    driver: ANY,
    'table-name': { member: 'table_name' },
    'lookup.cache.ttl': { member: 'lookup_cache_ttl' },
    'lookup.cache.max-rows': { member: 'lookup_cache_max_rows' },
    'lookup.cache': only('NONE', 'PARTIAL'),
    'lookup.partial-cache.expire-after-write': { member: 'lookup_cache_ttl' },
    'lookup.partial-cache.max-rows': { member: 'lookup_cache_max_rows' },
    'lookup.partial-cache.cache-missing-key': ANY,
    'lookup.max-retries': ANY,
    'connection.max-retry-timeout': ANY,
    'scan.fetch-size': ANY,
    'scan.auto-commit': ANY,
    'sink.buffer-flush.max-rows': ANY,
    'sink.buffer-flush.interval': ANY,
    'sink.max-retries': ANY,
    'sink.parallelism': ANY,
  },
  datagen: {
    'rows-per-second': { member: 'rows_per_second' },
    'number-of-rows': { member: 'number_of_rows' },
    'scan.parallelism': ANY,
  },
  print: { 'print-identifier': only(''), 'standard-error': only('false'), 'sink.parallelism': ANY },
  blackhole: { 'property-version': ANY },
}

const DATAGEN_FIELD = /^fields\.(.+)\.(kind|min|max|length|start|end)$/s

/** Undefined if the connector has no option of this name. Column and member of `fields.<column>.<member>` of datagen are a path. */
export function ruleOf(connector: ConnectorName, name: string): OptionRule | undefined {
  const rules = NAMES[connector]
  if (Object.hasOwn(rules, name)) return rules[name]
  if (connector === 'datagen') return DATAGEN_FIELD.test(name) ? { member: name } : undefined
  if ('value.format' in rules) {
    const format = name.replace(/^(key|value)\./, '')
    if (Object.hasOwn(FORMAT_RULES, format)) return FORMAT_RULES[format]
  }
  return connector.endsWith('kafka') && /^properties\../s.test(name) ? 'connection' : undefined
}

export function datagenField(name: string): { readonly column: string; readonly member: string } | undefined {
  const [, column, member] = DATAGEN_FIELD.exec(name) ?? []
  return column === undefined || member === undefined ? undefined : { column, member }
}

/** The options with the names of today, in the same order; those of older versions that say nothing are left out. */
export function withCurrentNames(options: OptionTexts): OptionTexts {
  const current: Record<string, string> = {}
  for (const [name, value] of Object.entries(options)) {
    const [renamed, text] = currentOption(name, value)
    if (renamed === undefined) continue
    if (Object.hasOwn(current, renamed))
      throw invalid(`option ${shown(renamed)} is there twice, also as ${shown(name)}`)
    current[renamed] = text
  }
  return current
}

const DROPPED = [
  'connector.version',
  'connector.property-version',
  'format.derive-schema',
  'format.property-version',
  'update-mode',
]
const RENAMED: Readonly<Record<string, string>> = {
  'connector.type': 'connector',
  'connector.topic': 'topic',
  'connector.startup-mode': 'scan.startup.mode',
  'format.type': 'format',
  'connector.url': 'url',
  'connector.table': 'table-name',
  'connector.driver': 'driver',
  'connector.username': 'username',
  'connector.password': 'password',
}
const PROPERTIES = 'connector.properties.'

function currentOption(name: string, value: string): readonly [string | undefined, string] {
  if (DROPPED.includes(name)) return [undefined, value]
  if (name.startsWith(PROPERTIES)) return [name.slice('connector.'.length), value]
  return [Object.hasOwn(RENAMED, name) ? RENAMED[name] : name, value]
}

/** The connector of options with current names, all of which it has. Throws ServiceError 'invalid_table'. */
export function namedConnector(options: OptionTexts): ConnectorName {
  const given = Object.hasOwn(options, 'connector') ? options.connector : undefined
  if (given === undefined) throw invalid(`option 'connector' is missing; use ${CONNECTORS.join(', ')}`)
  const connector = CONNECTORS.find((one) => one === given)
  if (connector === undefined)
    throw invalid(`unknown connector ${shown(given)}; use ${CONNECTORS.join(', ')}`)
  const unknown = Object.keys(options).find(
    (name) => name !== 'connector' && ruleOf(connector, name) === undefined,
  )
  if (unknown === undefined) return connector
  throw invalid(`unknown option ${shown(unknown)} of connector ${connector}; ${optionsOf(connector)}`)
}

function optionsOf(connector: ConnectorName): string {
  const names = Object.keys(NAMES[connector])
  if (connector === 'datagen') names.push('fields.<column>.kind, .min, .max, .length, .start, .end')
  if (connector.endsWith('kafka')) names.push('properties.*')
  return `it has ${names.join(', ')}`
}
