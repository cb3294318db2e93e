/**
 * A client whose documents in YAML are made to cost time and memory, beside one that reads, posts events and sends short YAML. The greedy
 * client is refused each time; the other waits no longer for it than for a busy machine.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { secretNumber, tokenEntry } from '../support/tokens.ts'

const MIB = 1024 * 1024
const TIMEOUT_MS = 300_000
const GREEDY_CONNECTIONS = 4
const PAUSE_MS = 20
/** Of a request that needs no worker thread. */
const SHORT_MS_P99 = 500
/** Of short YAML: the parse workers alternate between clients, so it waits for one document of the other, which is ended after 2 s. */
const YAML_MS_P90 = 5_000

/** Just below a MiB. */
const filled = (piece: string) => piece.repeat(Math.floor((MIB - 10) / piece.length))
const numbered = (line: (i: number) => string, count: number) =>
  Array.from({ length: count }, (_, i) => line(i)).join('')

const BOMBS: readonly (readonly [name: string, body: string])[] = [
  ['aliases that double', `a0: &a0 x\n${numbered((i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]\n`, 200)}`],
  ['a long text by alias', `a: &a ${'x'.repeat(MIB / 2)}\nb: [${'*a, '.repeat(1_000)}]`],
  ['an alias within itself', 'a: &a [*a]'],
  ['deep lists', filled('[')],
  ['deep maps', filled('{a: ')],
  ['deep blocks', filled('- ')],
  ['closed lists', `${'['.repeat(MIB / 2 - 10)}${']'.repeat(MIB / 2 - 10)}`],
  ['empty lists', `[${filled('[],').slice(0, -10)}]`],
  ['empty maps', `[${filled('{},').slice(0, -10)}]`],
  ['many keys', `{${numbered((i) => `k${i}: 1,`, 90_000)}}`],
  ['one key again and again', filled('a: 1\n')],
  ['anchors', filled('- &a x\n')],
  ['tags', filled('- !!str x\n')],
  ['unknown tags', filled('- !x y\n')],
  ['errors', filled('a: ]\n')],
  ['comments', filled('# x\n')],
  ['documents', filled('---\n')],
  ['directives', filled('%X\n')],
  ['quotes', filled("'")],
  ['white space', filled(' ')],
]

test('a greedy client delays itself', { timeout: TIMEOUT_MS }, async () => {
  const folder = await temporaryFolder()
  const tokens = join(folder, 'tokens.json')
  const [greedy, polite] = [secretNumber(1), secretNumber(2)]
  const entries = [
    tokenEntry({ name: 'greedy', grants: ['*:*:read,write,admin'] }, greedy),
    tokenEntry({ name: 'polite', grants: ['*:*:read,write,admin'] }, polite),
  ]
  await writeFile(tokens, printTokenFile(entries), { mode: 0o600 })
  const service = await startServiceProcess(join(folder, 'data'), { args: ['--auth', tokens] })
  const { base } = service
  const targets = `${base}/api/v1/namespaces/default/deployment-targets`
  const send = async (secret: string, url: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${secret}`, ...(init.headers as Record<string, string>) }
    const began = performance.now()
    const response = await fetch(url, { ...init, headers })
    await response.arrayBuffer()
    return { status: response.status, ms: performance.now() - began }
  }
  const yaml = (body: string) => ({ method: 'POST', headers: { 'Content-Type': 'application/yaml' }, body })
  const stream = `${base}/v3/namespaces/default/streams/s`
  expect((await send(polite, stream, { method: 'PUT' })).status).toBe(200)
  await send(polite, targets, yaml('metadata: {name: first}\nspec: {embedded: {}}'))

  let isOver = false
  const statuses = new Map<number, number>()
  const times = { short: [] as number[], yaml: [] as number[] }
  /** Each bomb once, over several connections. */
  const waiting = [...BOMBS]
  async function beGreedy(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, body] = next
      const { status } = await send(greedy, targets, yaml(body))
      expect([400, 413, 503], name).toContain(status)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  async function bePolite(): Promise<void> {
    while (!isOver) {
      for (const [url, init] of [
        [targets, {}],
        [stream, { method: 'POST', body: 'x' }],
      ] as const) {
        const { status, ms } = await send(polite, url, init)
        expect(status).toBe(200)
        times.short.push(ms)
      }
      await delay(PAUSE_MS)
    }
  }
  async function sendYaml(): Promise<void> {
    for (let i = 0; !isOver; i++) {
      const { status, ms } = await send(
        polite,
        targets,
        yaml(`metadata: {name: t${i}}\nspec: {embedded: {}}`),
      )
      expect([201, 409]).toContain(status) // 409: as many targets as there may be
      times.yaml.push(ms)
      await delay(PAUSE_MS)
    }
  }
  const others = [bePolite(), sendYaml()]
  await Promise.all(Array.from({ length: GREEDY_CONNECTIONS }, beGreedy))
  isOver = true
  await Promise.all(others)

  const figures = {
    ...{ bombs: BOMBS.length, statuses: Object.fromEntries(statuses) },
    ...{ 'short requests': times.short.length, 'short p99 ms': at(times.short, 0.99) },
    ...{ 'yaml requests': times.yaml.length, 'yaml p90 ms': at(times.yaml, 0.9) },
  }
  console.log(`proof greedy yaml: ${JSON.stringify(figures)}`)
  expect(at(times.short, 0.99)).toBeLessThan(SHORT_MS_P99)
  expect(at(times.yaml, 0.9)).toBeLessThan(YAML_MS_P90)
  expect((await service.stop()).code).toBe(0)
})

function at(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.floor(part * (sorted.length - 1))]!)
}
