/** Files as people have them: an access log, two tables, an Avro file. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import avsc from 'avsc'
import { describe, expect, test } from 'vitest'
import { avroContainer } from '../../src/decoders/avro-container.ts'
import type { EventHeaders, Value } from '../../src/formats/record-reader.ts'
import { optional, TestReader } from '../support/records.ts'

/** Beside the project, and not part of it. */
const FOLDER = fileURLToPath(new URL('../../../shared/data', import.meta.url))

function sample(name: string): string | undefined {
  const path = join(FOLDER, name)
  return existsSync(path) ? path : undefined
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n')
}

const log = sample('access-log.txt')
describe.skipIf(log === undefined)('10,000 lines of an access log (skipped without the file)', () => {
  test('each is a line of clf, and the statuses are what awk counts', () => {
    const reader = new TestReader({ format: 'clf' })
    const statuses = new Map<Value, number>()
    const lines = linesOf(log!)
    for (const line of lines) {
      const record = reader.read(line)
      if (typeof record === 'string') throw new Error(record)
      const { status = null } = record
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      expect(line.startsWith(`${record.remote_host} `)).toBe(true)
      expect(line).toContain(`"${record.request}" ${record.status} ${record.content_length ?? '-'} "`)
    }
    expect(lines.length).toBe(10_000)
    const awk = execFileSync(
      'awk',
      ['-F"', '{split($3, a, " "); n[a[1]]++} END {for (s in n) print s, n[s]}', log!],
      {
        encoding: 'utf8',
      },
    )
    const counted = awk
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
    expect([...statuses].sort()).toEqual(counted.sort())
  })

  test('each matches the pattern for such lines, with the same values', () => {
    const schema = [
      ['clientip', optional('string')],
      ['response', optional('int')],
      ['bytes', optional('int')],
      ['agent', optional('string')],
    ] as const
    const grok = new TestReader({ format: 'grok', schema, settings: { pattern: '%{COMBINEDAPACHELOG}' } })
    const clf = new TestReader({
      format: 'clf',
      wanted: ['remote_host', 'status', 'content_length', 'user_agent'],
    })
    let matched = 0
    for (const line of linesOf(log!)) {
      const values: Value[] = []
      expect(grok.into(values, line)).toBeUndefined()
      if (values[0] === null) continue
      matched++
      const same: Value[] = []
      clf.into(same, line)
      // The pattern keeps "-" as the agent that it is between its quotes.
      if (same[3] === null) same[3] = values[3]!
      expect(values).toEqual(same)
    }
    expect(matched).toBe(10_000)
  })
})

const GAME = [
  ['date', 'string'],
  ['winner', 'string'],
  ['loser', 'string'],
  ['winner_points', 'int'],
  ['loser_points', 'int'],
] as const
const tables = [
  { file: 'nba-2012.csv', rows: 990 },
  { file: 'nba-2013.csv', rows: 1229 },
]
describe.each(tables)('$file', ({ file, rows }) => {
  const path = sample(file)
  test.skipIf(path === undefined)('every row has its types (skipped without the file)', () => {
    const reader = new TestReader({ format: 'csv', schema: GAME })
    const lines = linesOf(path!)
    const records = lines.map((line) => reader.read(line))
    expect(records.filter((record) => typeof record === 'string')).toEqual([])
    expect(records).toEqual(
      lines.map((line) => {
        const [date, winner, loser, winnerPoints, loserPoints] = line.split(',')
        return { date, winner, loser, winner_points: Number(winnerPoints), loser_points: Number(loserPoints) }
      }),
    )
    expect(records.length).toBe(rows)
  })
})

/** The data of a container file as a batch would store them, with the headers it gives them. */
function dataOf(path: string): { bodies: Buffer[]; headers: EventHeaders } {
  const decoder = avroContainer({ eventBytesMax: 1024 * 1024, free: () => {} })
  const bodies: Buffer[] = []
  const emit = (slices: { bytes: Uint8Array; starts: Uint32Array; ends: Uint32Array; count: number }) => {
    for (let index = 0; index < slices.count; index++) {
      bodies.push(Buffer.from(slices.bytes.subarray(slices.starts[index], slices.ends[index])))
    }
  }
  decoder.decode(readFileSync(path), emit)
  decoder.end(emit)
  return { bodies, headers: decoder.headers }
}

describe.each([
  'weather.avro',
  'weather-deflate.avro',
  'weather-snappy.avro',
  'weather-zstd.avro',
  'syncInMeta.avro',
])('%s', (file) => {
  const path = sample(file)
  test.skipIf(path === undefined)('its data, whole and projected (skipped without the file)', () => {
    const { bodies, headers } = dataOf(path!)
    const written = JSON.parse(headers.find(([name]) => name === 'schema')![1])
    const type = avsc.Type.forSchema(written, { wrapUnions: false })
    const whole = new TestReader({ format: 'avro', schema: written })
    const last = written.fields.at(-1).name
    const projection = new TestReader({
      format: 'avro',
      schema: [
        [last, 'double'],
        ['added_later', optional('string')],
      ],
    })
    expect(bodies.length).toBeGreaterThan(0)
    for (const body of bodies) {
      const expected = { ...type.fromBuffer(body) }
      expect(whole.read(body, headers)).toEqual(expected)
      expect(projection.read(body, headers)).toEqual({ [last]: expected[last], added_later: null })
    }
  })
})
