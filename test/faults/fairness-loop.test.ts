/**
 * The event loop belongs to no client: beside one that asks for long lists, searches, metrics and slow patterns over eight
 * connections, another one sends events, and asks for a list and a preview now and then, as if it were nearly alone.
 */

import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { effort, tellProof } from '../support/effort.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'
import { ALL, secretNumber, tokenEntry } from '../support/tokens.ts'

const STREAM_COUNT = effort({ short: 1_000, long: 10_000 })
const OPERATIONS = effort({ short: 200, long: 2_000 })
const GREEDY_CONNECTIONS = 8
/** The promise: the p99 of the honest client is within this of its quiet value … */
const TIMES_MAX = 3
/** … where that is not lost in the noise of a machine on which other proofs run. */
const NOISE_MS = effort({ short: 300, long: 60 })
const ROUNDS = 3

const N = '/v3/namespaces/default'
const SLOW_PATTERN = JSON.stringify({
  name: 'grok',
  schema: { type: 'record', name: 'r', fields: [{ name: 'x', type: ['string', 'null'] }] },
  settings: { pattern: '\\p{L}'.repeat(3_000) },
})
const SLOW_MATCH = SLOW_PATTERN.replace(/"pattern":"[^"]*"/, '"pattern":"^(?<x>(a+)+)$"')
const LONG_DOCUMENT = `{"x":[${'{},'.repeat(300_000)}1]}`

type Request = readonly [method: string, path: string, body?: string]

const attacks: Readonly<Record<string, readonly Request[]>> = {
  'lists of streams': [['GET', STREAMS]],
  'metadata search': [['GET', `${N}/metadata/search?query=*`]],
  'SQL tables': [['GET', `${N}/data/explore/tables`]],
  feeds: [['GET', `${N}/feeds`]],
  metrics: [
    ['POST', '/v3/metrics/query?metric=system.collect.events&tag=namespace:default&groupBy=stream'],
    ['GET', '/metrics'],
  ],
  'slow patterns': [
    ['POST', `${STREAMS}/slow/try-format`, SLOW_PATTERN],
    ['POST', `${STREAMS}/slow/try-format`, SLOW_MATCH],
    ['PUT', `${STREAMS}/slow/properties`, `{"format":${SLOW_PATTERN}}`],
    ['PUT', `${STREAMS}/slow/views/v`, `{"format":${SLOW_PATTERN}}`],
  ],
  'long documents': [['PUT', `${STREAMS}/slow/properties`, LONG_DOCUMENT]],
}

interface Client {
  send(...request: Request): Promise<number>
  close(): void
}

function client(port: number, token: number): Client {
  const agent = new Agent({ keepAlive: true })
  const headers = { Authorization: `Bearer ${secretNumber(token)}` }
  return {
    send: (method, path, body) =>
      new Promise((resolve) => {
        const outgoing = request({ agent, host: '127.0.0.1', port, method, path, headers }, (incoming) => {
          incoming.resume()
          incoming.once('close', () => resolve(incoming.complete ? incoming.statusCode! : 0))
        })
        outgoing.once('error', () => resolve(0))
        outgoing.end(body)
      }),
    close: () => agent.destroy(),
  }
}

interface Times {
  readonly p50: number
  readonly p99: number
  readonly refused: number
}

/** Events one after the other, and now and then what the greedy client asks for, too. */
async function measure({ send }: Client): Promise<Times> {
  const times: number[] = []
  let refused = 0
  for (let i = 0; i < OPERATIONS; i++) {
    const begun = performance.now()
    const status = await send('POST', `${STREAMS}/honest`, 'x'.repeat(200))
    times.push(performance.now() - begun)
    if (status !== 200) refused++
    if (i % 50 === 25 && (await send('GET', STREAMS)) !== 200) refused++
    if (i % 100 === 75 && (await send('POST', `${STREAMS}/honest/try-format?limit=2`)) !== 200) refused++
  }
  times.sort((a, b) => a - b)
  const at = (part: number) => times[Math.floor(times.length * part)]!
  return { p50: at(0.5), p99: at(0.99), refused }
}

/** Sends the same requests again and again; what came of them, by status. */
function attack({ send }: Client, requests: readonly Request[]): () => Promise<Record<string, number>> {
  const told: Record<string, number> = {}
  let isOver = false
  const connections = Array.from({ length: GREEDY_CONNECTIONS }, async (_, i) => {
    for (let sent = i; !isOver; sent++) {
      const status = await send(...requests[sent % requests.length]!)
      told[status] = (told[status] ?? 0) + 1
    }
  })
  return async () => {
    isOver = true
    await Promise.race([Promise.all(connections), new Promise((resolve) => setTimeout(resolve, 30_000))])
    return told
  }
}

test('an honest client beside one that asks for much', { timeout: 900_000 }, async () => {
  const folder = await temporaryFolder()
  const authFile = join(folder, 'tokens.json')
  const grants = { honest: [ALL], greedy: [ALL] }
  const entries = Object.entries(grants).map(([name, given], i) =>
    tokenEntry({ name, grants: given }, secretNumber(i + 1)),
  )
  await writeFile(authFile, printTokenFile(entries), { mode: 0o600 })
  const service = await startServiceProcess(join(folder, 'data'), { args: ['--auth', authFile] })
  const honest = client(service.port, 1)
  for (const stream of ['honest', 'slow']) await honest.send('PUT', `${STREAMS}/${stream}`)
  for (let i = 0; i < STREAM_COUNT; i += 50) {
    const some = Array.from({ length: 50 }, (_, k) => `${STREAMS}/stream-${i + k}`)
    await Promise.all(some.map((path) => honest.send('PUT', path)))
    await Promise.all(some.map((path) => honest.send('POST', path, 'x')))
  }
  for (let i = 0; i < 20; i++) await honest.send('POST', `${STREAMS}/slow`, `${'a'.repeat(3_000)}!`)
  for (const [name, requests] of Object.entries(attacks)) {
    const { quiet, attacked, told } = await bestOf(service.port, honest, requests)
    tellProof(`fairness event loop, ${name}`, {
      'honest p50 quiet': `${quiet.p50.toFixed(1)} ms`,
      attacked: `${attacked.p50.toFixed(1)} ms`,
      'p99 quiet': `${quiet.p99.toFixed(1)} ms`,
      'p99 attacked': `${attacked.p99.toFixed(1)} ms`,
      'honest refused': quiet.refused + attacked.refused,
      'greedy told': JSON.stringify(told),
    })
    expect(quiet.refused + attacked.refused, name).toBe(0)
    expect(attacked.p99, name).toBeLessThan(Math.max(NOISE_MS, TIMES_MAX * quiet.p99))
    expect(
      Object.keys(told).filter((status) => /^5(?!03)/.test(status) || status === '0'),
      name,
    ).toEqual([])
  }
  honest.close()
  expect((await service.stop()).code).toBe(0)
})

/** Repeated where the machine was busy with something else. */
async function bestOf(port: number, honest: Client, requests: readonly Request[]) {
  for (let round = 1; ; round++) {
    const quiet = await measure(honest)
    const greedy = client(port, 2)
    const stop = attack(greedy, requests)
    const attacked = await measure(honest)
    const told = await stop()
    greedy.close()
    if (attacked.p99 < Math.max(NOISE_MS, TIMES_MAX * quiet.p99) || round === ROUNDS) {
      return { quiet, attacked, told }
    }
  }
}
