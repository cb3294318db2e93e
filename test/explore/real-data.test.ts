/** Questions about files that were not made for these tests; they are kept beside the repository, not in it. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import avro from 'avsc'
import { describe, expect, test } from 'vitest'
import { answered, rowsOf } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const FOLDER = fileURLToPath(new URL('../../../shared/data/', import.meta.url))
const present = existsSync(FOLDER)
const where = present ? 'found' : 'skipped: there is no folder shared/data beside the repository'

async function appWith(format: unknown, contentType: string, name: string): Promise<TestApp> {
  const app = await testApp({ streams: ['s'] })
  const set = await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format }) })
  expect(set.status, set.text).toBe(200)
  const body = readFileSync(FOLDER + name)
  expect(
    (await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': contentType }, body })).status,
  ).toBe(200)
  return app
}

/** Lines that awk prints for the file. */
function awk(program: string, name: string): string[] {
  return execFileSync('awk', [program, FOLDER + name], { encoding: 'latin1' })
    .trim()
    .split('\n')
}

const GAMES = {
  name: 'csv',
  schema: {
    type: 'record',
    name: 'game',
    fields: [
      { name: 'day', type: 'string' },
      { name: 'winner', type: 'string' },
      { name: 'loser', type: 'string' },
      { name: 'winner_points', type: 'int' },
      { name: 'loser_points', type: 'int' },
    ],
  },
}

describe.skipIf(!present)(`real files (${where})`, () => {
  test('every line of the access log is read, and its statuses are those that awk counts', async () => {
    const app = await appWith({ name: 'clf' }, 'text/plain', 'access-log.txt')
    const { rows, state } = await answered(
      app,
      'SELECT status, count(*) FROM stream_s GROUP BY status ORDER BY status',
    )
    const counted = awk(
      '{ count[$9]++ } END { for (status in count) print status, count[status] }',
      'access-log.txt',
    )
    expect(rows.map((row) => row.join(' '))).toEqual(counted.sort())
    expect(state).toEqual({ status: 'FINISHED', hasResults: true })
    const all = await answered(
      app,
      'SELECT count(*), count(request_time), max(length(user_agent)) > 0 FROM (SELECT * FROM stream_s)',
    )
    expect([all.rows, all.state.badEvents]).toEqual([[[10_000, 10_000, true]], undefined])
  })

  test.each(['nba-2012.csv', 'nba-2013.csv'])(
    '%s answers three questions as counting by hand does',
    async (name) => {
      const app = await appWith(GAMES, 'text/plain', name)
      const games = readFileSync(FOLDER + name, 'latin1')
        .split(/[\r\n]+/)
        .filter((line) => line !== '')
        .map((line) => line.split(','))
      expect(
        await rowsOf(app, 'SELECT count(*), sum(winner_points), sum(loser_points) FROM stream_s'),
      ).toEqual([[games.length, sumOf(games, 3), sumOf(games, 4)]])
      const wins = new Map<string, number>()
      for (const [, winner] of games) wins.set(winner!, (wins.get(winner!) ?? 0) + 1)
      const byWins = [...wins].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
      expect(
        await rowsOf(
          app,
          'SELECT winner, count(*) AS wins FROM stream_s GROUP BY winner ORDER BY wins DESC, winner',
        ),
      ).toEqual(byWins)
      const widest = Math.max(...games.map((game) => Number(game[3]) - Number(game[4])))
      const widestGames = games.filter((game) => Number(game[3]) - Number(game[4]) === widest)
      const { rows, state } = await answered(
        app,
        'SELECT day, winner, loser, winner_points - loser_points FROM stream_s ' +
          'WHERE winner_points - loser_points = (SELECT max(winner_points - loser_points) FROM stream_s) ORDER BY day, winner',
      )
      expect(rows).toEqual(widestGames.map(([day, winner, loser]) => [day, winner, loser, widest]))
      expect(state.badEvents).toBeUndefined()
    },
  )

  const WEATHER = {
    name: 'avro',
    schema: {
      type: 'record',
      name: 'Weather',
      fields: [
        { name: 'station', type: 'string' },
        { name: 'time', type: 'long' },
        { name: 'temp', type: 'int' },
      ],
    },
  }
  test.each(['weather.avro', 'weather-deflate.avro', 'weather-snappy.avro', 'weather-zstd.avro'])(
    '%s is queried',
    async (name) => {
      const app = await appWith(WEATHER, 'avro/binary', name)
      const { columns, rows, state } = await answered(
        app,
        'SELECT station, time, temp FROM stream_s ORDER BY time, station',
      )
      expect(columns).toEqual(['station STRING', 'time BIGINT', 'temp INT'])
      expect(rows).toEqual(await weatherByAvsc())
      expect(state.badEvents).toBeUndefined()
      expect(await rowsOf(app, 'SELECT station, max(temp) FROM stream_s GROUP BY 1 ORDER BY 1')).toEqual([
        ['011990-99999', 22],
        ['012650-99999', 111],
      ])
    },
  )
})

/** The same readings in all four files, decoded by another library. */
async function weatherByAvsc(): Promise<(readonly [string, number, number])[]> {
  const readings: (readonly [string, number, number])[] = []
  const decoder = avro.createFileDecoder(`${FOLDER}weather.avro`)
  for await (const { station, time, temp } of decoder as AsyncIterable<Reading>)
    readings.push([station, time, temp])
  return readings.sort(([, a], [, b]) => a - b)
}

interface Reading {
  readonly station: string
  readonly time: number
  readonly temp: number
}

function sumOf(games: readonly (readonly string[])[], column: number): number {
  return games.reduce((sum, game) => sum + Number(game[column]), 0)
}
