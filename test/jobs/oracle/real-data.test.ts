/** Jobs over files that were not made for these tests: the same counts as by hand. The files are kept beside the repository, not in it. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { FlinkClient, streamPath } from '../../faults/jobs/flink-client.ts'
import { listening, spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { POLL } from '../../support/speeds.ts'

const FOLDER = fileURLToPath(new URL('../../../../shared/data/', import.meta.url))
const present = existsSync(FOLDER)
const where = present ? 'found' : 'skipped: there is no folder shared/data beside the repository'
const READY_MS = 120_000
const SLOW = { ...POLL, interval: 100, timeout: 120_000 }

const linesOf = (name: string) =>
  readFileSync(FOLDER + name, 'latin1')
    .split(/[\r\n]+/)
    .filter((line) => line !== '')

/** The built service with the file in the stream `input`, and over it the table INPUT in this format. */
async function serviceWith(name: string, kafka_value_format: string, schema_sql: string) {
  const args = ['--port', '0', '--data', await temporaryFolder()]
  const service = await listening(spawnCli({ args }), READY_MS)
  const client = new FlinkClient(service.port)
  await client.createStream('input')
  expect(await client.post('input', linesOf(name))).toBe(200)
  const integration = await client.builtIn()
  await client.table(integration, { name: 'INPUT', kafka_topic: 'input', kafka_value_format, schema_sql })

  /** Runs a statement. Returns a function that reads the rows of its sink; the last of each key, if the sink has one. */
  return async (sink: string, columns: string, query: string, key?: string) => {
    const upsert = key === undefined ? {} : { kafka_connector_type: 'upsert-kafka' as const }
    const schema = key === undefined ? columns : `${columns}, PRIMARY KEY (${key})`
    await client.table(integration, { name: sink, kafka_topic: sink, ...upsert, schema_sql: schema })
    await client.job(sink, `INSERT INTO ${sink} ${query}`)
    return async (): Promise<unknown[][]> => {
      const answer = await fetch(`${service.base}${streamPath(sink)}/events?encoding=utf8`)
      if (answer.status !== 200) return []
      const events = (await answer.json()) as { readonly body: string }[]
      const rows = events.map(({ body }) => Object.values(JSON.parse(body) as object))
      return key === undefined ? rows : [...new Map(rows.map((row) => [row[0], row])).values()].sort()
    }
  }
}

function countBy<T>(all: readonly T[], of: (one: T) => string): [string, number][] {
  const counts = new Map<string, number>()
  for (const one of all) counts.set(of(one), (counts.get(of(one)) ?? 0) + 1)
  return [...counts].sort()
}

describe.skipIf(!present)(`real files (${where})`, () => {
  test('the access log: requests of each status, and of each hour, its clients and bytes', async () => {
    const running = await serviceWith(
      'access-log.txt',
      'raw',
      `line STRING, host AS SPLIT_INDEX(line, ' ', 0), status AS REGEXP_EXTRACT(line, '" ([0-9]{3}) ', 1),
       size AS TRY_CAST(REGEXP_EXTRACT(line, '" [0-9]{3} ([0-9]+|-)', 1) AS BIGINT),
       ts AS TO_TIMESTAMP(REGEXP_EXTRACT(line, '\\[([^ ]+)', 1), 'dd/MMM/yyyy:HH:mm:ss'),
       WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE`,
    )
    const byStatus = await running(
      'statuses',
      'status STRING, n BIGINT',
      'SELECT status, COUNT(*) FROM INPUT GROUP BY status',
      'status',
    )
    const byHour = await running(
      'hours',
      'hour_start TIMESTAMP(3), n BIGINT, clients BIGINT, volume BIGINT',
      `SELECT window_start, COUNT(*), COUNT(DISTINCT host), SUM(size)
       FROM TABLE(TUMBLE(TABLE INPUT, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end`,
    )
    const lines = linesOf('access-log.txt')
    await expect
      .poll(byStatus, SLOW)
      .toEqual(countBy(lines, (line) => line.match(/" (\d{3}) /)![1]!).map(([status, n]) => [status, n]))
    await expect.poll(byHour, SLOW).toEqual(hoursOf(lines))
  })

  test.each(['nba-2012.csv', 'nba-2013.csv'])(
    '%s: wins of each team, weeks, and wide games',
    async (name) => {
      const running = await serviceWith(
        name,
        'csv',
        `played STRING, winner STRING, loser STRING, won INT, lost INT, ts AS TO_TIMESTAMP(played, 'yyyy/M/d'),
       WATERMARK FOR ts AS ts`,
      )
      const wins = await running(
        'wins',
        'team STRING, n BIGINT, most INT, average INT',
        'SELECT winner, COUNT(*), MAX(won - lost), AVG(won) FROM INPUT GROUP BY winner',
        'team',
      )
      const wide = await running(
        'wide',
        'played STRING, winner STRING, loser STRING, margin INT',
        'SELECT played, winner, loser, won - lost FROM INPUT WHERE won - lost >= 30',
      )
      const weeks = await running(
        'weeks',
        'week_start TIMESTAMP(3), place BIGINT, team STRING, n BIGINT',
        `SELECT window_start, place, winner, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end
         ORDER BY n DESC, winner) AS place FROM (SELECT window_start, window_end, winner, COUNT(*) AS n
           FROM TABLE(TUMBLE(TABLE INPUT, DESCRIPTOR(ts), INTERVAL '7' DAY)) GROUP BY window_start, window_end, winner) w) p
       WHERE place <= 3`,
      )
      const games = linesOf(name).map((line) => line.split(','))
      const margin = (game: readonly string[]) => Number(game[3]) - Number(game[4])
      const teams = countBy(games, ([, winner]) => winner!).map(([team, n]) => {
        const won = games.filter(([, winner]) => winner === team)
        const total = won.reduce((sum, game) => sum + Number(game[3]), 0)
        return [team, n, Math.max(...won.map(margin)), Math.trunc(total / n)]
      })
      await expect.poll(wins, SLOW).toEqual(teams)
      const wideGames = games.filter((game) => margin(game) >= 30)
      await expect
        .poll(wide, SLOW)
        .toEqual(wideGames.map((game) => [game[0], game[1], game[2], margin(game)]))
      expect(weeksOf(games).length).toBeGreaterThan(50)
      await expect.poll(weeks, SLOW).toEqual(weeksOf(games))
    },
  )
})

/** Closed hours: lines after which an hour has come and a minute are too late for it. */
function hoursOf(lines: readonly string[]): unknown[][] {
  const hours = new Map<number, { n: number; hosts: Set<string>; bytes: number | null }>()
  let watermark = Number.NEGATIVE_INFINITY
  for (const line of lines) {
    const [, host, day, month, year, time, , size] =
      /^(\S+) .*?\[(\d+)\/(\w+)\/(\d+):(\S+) .*" (\d{3}) (\d+|-)/.exec(line)!
    const at = Date.parse(`${day} ${month} ${year} ${time} UTC`)
    const start = Math.floor(at / 3_600_000) * 3_600_000
    if (start + 3_600_000 - 1 > watermark) {
      const hour = hours.get(start) ?? { n: 0, hosts: new Set(), bytes: null }
      hour.n++
      hour.hosts.add(host!)
      if (size !== '-') hour.bytes = (hour.bytes ?? 0) + Number(size)
      hours.set(start, hour)
    }
    watermark = Math.max(watermark, at - 60_000)
  }
  return [...hours]
    .filter(([start]) => start + 3_600_000 - 1 <= watermark)
    .sort(([a], [b]) => a - b)
    .map(([start, { n, hosts, bytes }]) => [timeText(start), n, hosts.size, bytes])
}

const WEEK_MS = 7 * 86_400_000

/** The three teams with most wins of each week that is over. A game of a week that is over is late. */
function weeksOf(games: readonly (readonly string[])[]): unknown[][] {
  const weeks = new Map<number, string[]>()
  let watermark = Number.NEGATIVE_INFINITY
  for (const [day, winner] of games) {
    const [year, month, dayOfMonth] = day!.split('/').map(Number)
    const at = Date.UTC(year!, month! - 1, dayOfMonth)
    const start = Math.floor(at / WEEK_MS) * WEEK_MS
    if (start + WEEK_MS - 1 > watermark) weeks.set(start, [...(weeks.get(start) ?? []), winner!])
    watermark = Math.max(watermark, at)
  }
  return [...weeks]
    .filter(([start]) => start + WEEK_MS - 1 <= watermark)
    .sort(([a], [b]) => a - b)
    .flatMap(([start, winners]) =>
      countBy(winners, (winner) => winner)
        .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
        .slice(0, 3)
        .map(([team, n], i) => [timeText(start), i + 1, team, n]),
    )
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}
