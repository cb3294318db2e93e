/** Files of Avro, asked in SQL under the schema that stands in their header, or a later one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import avsc, { type Schema, type Type } from 'avsc'
import { describe, expect, test } from 'vitest'
import { bytesText } from '../../src/formats/value-json.ts'
import { avroFile } from '../decoders/avro-file.ts'
import { PairMaker } from '../formats/avro-pairs.ts'
import { SEED } from '../support/effort.ts'
import { answered, rowsOf, submit } from '../support/explore.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const AVRO = { 'Content-Type': 'avro/binary' }
const FOLDER = fileURLToPath(new URL('../../../shared/data/', import.meta.url))
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.avro')) : []

const record = (name: string, ...fields: object[]) => ({ type: 'record', name, fields })

async function setSchema(app: TestApp, schema: unknown): Promise<void> {
  const body = JSON.stringify({ format: { name: 'avro', schema } })
  const set = await app.put(`${STREAMS}/s/properties`, { body })
  expect([set.status, set.text]).toEqual([200, ''])
}

async function upload(app: TestApp, body: Buffer): Promise<void> {
  const batch = await app.post(`${STREAMS}/s/batch`, { headers: AVRO, body })
  expect([batch.status, batch.text]).toEqual([200, ''])
}

function fileOf(schema: unknown, records: readonly unknown[]): Buffer {
  const type = typeOf(schema)
  const data = Buffer.concat(records.map((one) => type.toBuffer(one)))
  return avroFile({ schema, blocks: [{ count: records.length, data }] })
}

describe('events of several versions of a schema, under the latest', () => {
  const VERSIONS = [
    { schema: record('Car', { name: 'id', type: 'int' }), records: [{ id: 1 }, { id: 2 }] },
    {
      schema: record(
        'Car',
        { name: 'id', type: 'long' },
        { name: 'colour', type: { type: 'enum', name: 'Colour', symbols: ['red', 'pink'] } },
      ),
      records: [
        { id: 3, colour: 'red' },
        { id: 4, colour: 'pink' },
      ],
    },
  ]
  const LATEST = record(
    'Auto',
    {
      name: 'color',
      type: {
        type: 'enum',
        name: 'Color',
        aliases: ['Colour'],
        symbols: ['green', 'red', 'other'],
        default: 'other',
      },
      default: 'green',
      aliases: ['colour'],
    },
    { name: 'id', type: 'double' },
    { name: 'tags', type: { type: 'map', values: 'string' }, default: { new: 'no' } },
    { name: 'since', type: { type: 'int', logicalType: 'date' }, default: 0 },
  )

  test('have defaults, aliases and promotions', async () => {
    const app = await testApp({ streams: ['s'] })
    await setSchema(app, LATEST)
    for (const { schema, records } of VERSIONS) await upload(app, fileOf(schema, records))
    const { rows, state } = await answered(
      app,
      `SELECT id, color, tags['new'], since::VARCHAR FROM stream_s ORDER BY id`,
    )
    expect(rows).toEqual([
      [1, 'green', 'no', '1970-01-01'],
      [2, 'green', 'no', '1970-01-01'],
      [3, 'red', 'no', '1970-01-01'],
      [4, 'other', 'no', '1970-01-01'],
    ])
    expect(state.badEvents).toBeUndefined()
    expect(
      await rowsOf(app, 'SELECT color, count(*) FROM stream_s GROUP BY color ORDER BY 2 DESC, 1'),
    ).toEqual([
      ['green', 2],
      ['other', 1],
      ['red', 1],
    ])
  })

  test('a field without a default is reported for each event', async () => {
    const app = await testApp({ streams: ['s'] })
    await setSchema(app, record('Car', { name: 'id', type: 'long' }, { name: 'colour', type: 'string' }))
    for (const { schema, records } of VERSIONS) await upload(app, fileOf(schema, records))
    const { rows, state } = await answered(app, 'SELECT colour FROM stream_s')
    expect(rows).toEqual([[null], [null], ['red'], ['pink']])
    expect([state.badEvents, state.firstBadEvents?.[0]?.reason]).toEqual([
      2,
      'the event was written without field colour, which cannot be null',
    ])
    // Who does not ask for it does not miss it.
    expect((await answered(app, 'SELECT id FROM stream_s')).state.badEvents).toBeUndefined()
  })
})

test.skipIf(files.length === 0).each(files)('%s under the schema in its header', async (name) => {
  const app = await testApp({ streams: ['s'] })
  const file = readFileSync(FOLDER + name)
  const text = schemaOf(file)
  await setSchema(app, JSON.parse(text))
  await upload(app, file)
  const { fields } = JSON.parse(text) as { fields: { name: string }[] }
  const names = fields.map((field) => `"${field.name}"`).join(', ')
  const rows = await rowsOf(app, `SELECT ${names} FROM stream_s`)
  const decoded = await decodedByAvsc(name, text)
  if (decoded !== undefined) expect(rows).toEqual(decoded)
  expect(rows.length).toBeGreaterThan(0)
})

test('files of random schemas, each under its own: rows are what avsc decodes', async () => {
  const app = await testApp({ streams: ['s'] })
  let tables = 0
  for (let pair = 0; pair < 60; pair++) {
    const { writer, value } = new PairMaker(seededRandom(SEED + pair)).pair()
    const { fields } = writer as { fields: { name: string }[] }
    if (fields.length === 0) continue
    const told = `seed ${SEED + pair}: ${JSON.stringify(writer)}`
    await app.post(`${STREAMS}/s/truncate`)
    await setSchema(app, writer)
    const values = [value(), value(), value()]
    await upload(app, fileOf(writer, values))
    const expected = values.map((one) => jsonOf(one, typeOf(writer)) as Record<string, unknown>)
    const tried = (await app.post(`${STREAMS}/s/try-format`)).json() as {
      events: { record: unknown }[]
    }
    expect(
      tried.events.map((event) => event.record),
      told,
    ).toEqual(expected)
    const names = fields.map(({ name }) => name)
    const query = `SELECT ${names.join(', ')} FROM stream_s`
    const refused = await submit(app, query)
    if (refused.status !== 200) {
      expect(refused.text).toMatch(/is a union of more than|holds itself/)
      continue
    }
    tables++
    const { rows, columns, state } = await answered(app, query)
    expect(state.badEvents, told).toBeUndefined()
    const cells = rows.map((row) =>
      row.map((cell, index) =>
        cell === null
          ? null
          : /[<]/.test(columns[index]!)
            ? JSON.parse(cell as string)
            : columns[index]!.endsWith(' BINARY')
              ? bytesText(Uint8Array.from(cell as number[])) // signed bytes, as CDAP's clients read them
              : cell,
      ),
    )
    const floats = columns.map((column) => column.endsWith(' FLOAT'))
    expect(
      cells.map((row) => row.map((cell, at) => (floats[at] ? rounded(cell) : cell))),
      told,
    ).toEqual(expected.map((one) => names.map((name) => one[name])))
  }
  expect(tables).toBeGreaterThan(15)
}, 120_000)

function typeOf(schema: unknown): Type {
  return avsc.Type.forSchema(schema as Schema, { wrapUnions: 'always' })
}

/** The text in the header of a container file, as it stands there. */
function schemaOf(file: Buffer): string {
  const at = file.indexOf('avro.schema') + 'avro.schema'.length
  const long = avsc.Type.forSchema('long')
  const { value, offset } = long.decode(file, at) as { value: number; offset: number }
  return file.toString('utf8', offset, offset + value)
}

/** Undefined for codecs that avsc does not have. */
async function decodedByAvsc(name: string, text: string): Promise<unknown[][] | undefined> {
  if (/snappy|zstd/.test(name)) return undefined
  const rows: unknown[][] = []
  const { fields } = JSON.parse(text) as { fields: { name: string }[] }
  const decoder = avsc.createFileDecoder(FOLDER + name)
  for await (const one of decoder as AsyncIterable<Record<string, unknown>>)
    rows.push(fields.map((field) => one[field.name]))
  return rows
}

/** A value of avsc's as we print it in JSON. */
function jsonOf(value: unknown, type: Type): unknown {
  if (value === null) return null
  const { typeName } = type
  const parts = type as unknown as {
    types: Type[]
    itemsType: Type
    valuesType: Type
    fields: { name: string; type: Type }[]
  }
  if (typeName.startsWith('union')) {
    const [[branch, inner]] = Object.entries(value as Record<string, unknown>) as [[string, unknown]]
    return jsonOf(inner, parts.types.find(({ branchName }) => branchName === branch)!)
  }
  switch (typeName) {
    case 'bytes':
    case 'fixed':
      return bytesText(value as Uint8Array)
    case 'float':
    case 'double':
      return Number.isFinite(value) ? value : String(value)
    case 'array':
      return (value as unknown[]).map((item) => jsonOf(item, parts.itemsType))
    case 'map':
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [key, jsonOf(item, parts.valuesType)]),
      )
    case 'record':
      return Object.fromEntries(
        parts.fields.map(({ name, type: inner }) => [
          name,
          jsonOf((value as Record<string, unknown>)[name], inner),
        ]),
      )
    default:
      return value
  }
}

function rounded(cell: unknown): unknown {
  return typeof cell === 'number' ? Math.fround(cell) : cell
}
