/**
 * One greedy and one honest client at one resource: the honest one is measured alone, then beside the greedy one. It must
 * never be refused, and its p99 must stay within TIMES_MAX of its quiet value, while the greedy one is slowed or refused.
 *
 * To add a resource, add a row (an object of type FairnessRow) to test/faults/fairness.test.ts:
 *
 *   name     what is contended, for the line that is printed
 *   args     flags of the service, beside those of the harness
 *   tokens   true: greedy and honest client have tokens of their own, `scene.authorization(who)`
 *   prepare  what both need: streams, events
 *   honest   one operation of the honest client, number i; resolves with the status of its answer, 0 if it was cut.
 *            It runs one after the other, so its duration is what is measured
 *   greedy   begins the attack; resolves once it holds what it wants. It counts its answers with `scene.told(…)`, and
 *            may use `scene.hold(…)`, which opens a connection again whenever the service closes it
 *   slowed   whether the greedy client was limited as intended; by default, that it got any answer of these, or that
 *            the service counted a cut or a refusal (millrace_share_cut_total, millrace_share_refused_total)
 *
 * The greedy client comes from GREEDY_ADDRESS, unless `sameAddress` says that it shares the honest one's.
 */
import { mkdir } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { effort, tellProof } from '../../support/effort.ts'
import {
  runCli,
  type ServiceProcess,
  startServiceProcess,
  temporaryFolder,
} from '../../support/service-process.ts'

export const HONEST_ADDRESS = '127.0.0.1'
/** All of 127.0.0.0/8 is this machine on Linux. */
export const GREEDY_ADDRESS = '127.0.0.2'

export type Who = 'honest' | 'greedy'

export interface FairnessRow {
  readonly name: string
  readonly args?: readonly string[]
  readonly tokens?: boolean
  readonly sameAddress?: boolean
  readonly operations?: number
  readonly prepare?: (scene: Scene) => Promise<void>
  readonly honest: (scene: Scene, i: number) => Promise<number>
  readonly greedy: (scene: Scene) => Promise<void>
  readonly slowed?: (told: Readonly<Record<string, number>>) => boolean
}

const OPERATIONS = effort({ short: 150, long: 1_500 })
/** The promise. */
const TIMES_MAX = 3
/** Below this a p99 is noise of the machine: other proofs may run beside this one. */
const NOISE_MS = effort({ short: 500, long: 60 })
/** A greedy client whose connection was ended is back so soon. */
const REOPEN_MS = 500
/** What it takes to begin is work for the service, and no part of what is measured. */
const SETTLE_MS = 2_500
/** The short form is repeated where the machine was busy with something else. */
const ROUNDS = 3

export interface FairnessResult {
  readonly quiet: Times
  readonly attacked: Times
  readonly honestStatuses: Readonly<Record<string, number>>
  readonly told: Readonly<Record<string, number>>
}

interface Times {
  readonly p50: number
  readonly p99: number
}

/** Runs the row, prints its line, and checks the promise. */
export async function proveFairness(row: FairnessRow): Promise<FairnessResult> {
  let result = await run(row)
  let rounds = 1
  // Only a time that is too long may be the machine's: a refusal counts in whichever round it comes.
  while (rounds < ROUNDS && !isWithin(result) && refusalsOf(result).length === 0) {
    result = await run(row)
    rounds++
  }
  const { quiet, attacked, honestStatuses, told } = result
  tellProof(`fairness ${row.name}`, {
    'honest p50/p99 ms alone': `${quiet.p50.toFixed(1)}/${quiet.p99.toFixed(1)}`,
    'beside the greedy one': `${attacked.p50.toFixed(1)}/${attacked.p99.toFixed(1)}`,
    'honest answers': JSON.stringify(honestStatuses),
    'told to the greedy one': JSON.stringify(told),
    rounds,
  })
  expect(refusalsOf(result)).toEqual([])
  expect((row.slowed ?? wasRefused)(told)).toBe(true)
  expect(attacked.p99).toBeLessThan(allowed(quiet))
  return result
}

/** Statuses of the honest client that are no success. */
function refusalsOf({ honestStatuses }: FairnessResult): string[] {
  return Object.keys(honestStatuses).filter((status) => !/^2\d\d$/.test(status))
}

function allowed({ p99 }: Times): number {
  return Math.max(TIMES_MAX * p99, NOISE_MS)
}

function isWithin({ quiet, attacked }: FairnessResult): boolean {
  return attacked.p99 < allowed(quiet)
}

function wasRefused(told: Readonly<Record<string, number>>): boolean {
  return Object.values(told).some((count) => count > 0)
}

async function run(row: FairnessRow): Promise<FairnessResult> {
  const folder = await temporaryFolder()
  const tokens = row.tokens === true ? await makeTokens(folder) : undefined
  const service = await startServiceProcess(join(folder, 'data'), {
    args: [...(tokens === undefined ? [] : ['--auth', tokens.file]), ...(row.args ?? [])],
  })
  const scene = new Scene(service, row, tokens?.secrets)
  onTestFinished(() => scene.close())
  await row.prepare?.(scene)
  const operations = row.operations ?? OPERATIONS
  for (let i = 0; i < operations / 5; i++) await row.honest(scene, i) // the compiler has seen everything
  const quiet = await measure(row, scene, operations)
  await row.greedy(scene)
  await sleep(SETTLE_MS)
  const attacked = await measure(row, scene, operations)
  scene.close()
  await countShares(service, scene)
  expect(service.stderr.replaceAll(/^\{"audit".*\n/gm, '')).toBe('')
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  return {
    quiet: quiet.times,
    attacked: attacked.times,
    honestStatuses: attacked.statuses,
    told: scene.toldSoFar,
  }
}

/** The service's own counts of cuts and refusals are added. */
async function countShares(service: ServiceProcess, scene: Scene): Promise<void> {
  const headers = scene.headersOf('honest')
  const text = await (await fetch(`${service.base}/metrics`, { headers })).text()
  for (const [, what, resource, count] of text.matchAll(SHARE_COUNT)) {
    if (Number(count) > 0) scene.toldSoFar[`${resource} ${what}`] = Number(count)
  }
}

const SHARE_COUNT = /^millrace_share_(cut|refused)_total\{resource="([^"]+)"\} (\d+)$/gm

async function measure(row: FairnessRow, scene: Scene, operations: number) {
  const ms: number[] = []
  const statuses: Record<string, number> = {}
  for (let i = 0; i < operations; i++) {
    const since = performance.now()
    const status = await row.honest(scene, i)
    ms.push(performance.now() - since)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  ms.sort((a, b) => a - b)
  const at = (part: number) => ms[Math.min(ms.length - 1, Math.floor(ms.length * part))]!
  return { times: { p50: at(0.5), p99: at(0.99) }, statuses }
}

interface Tokens {
  readonly file: string
  readonly secrets: Readonly<Record<Who, string>>
}

async function makeTokens(folder: string): Promise<Tokens> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'tokens.json')
  const secrets = { honest: '', greedy: '' }
  for (const who of ['honest', 'greedy'] as const) {
    const args = ['token', 'add', '--auth', file, who, '--grant', '*:*:read,write,admin']
    const { stdout, stderr } = await runCli({ args })
    const secret = /mr_\S+/.exec(stdout)?.[0]
    if (secret === undefined) throw new Error(`no secret in ${stdout}${stderr}`)
    secrets[who] = secret
  }
  return { file, secrets }
}

export interface HonestRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** A connection of its own, closed after it. */
  readonly newConnection?: boolean
}

/** The service, and what both clients do to it. */
export class Scene {
  readonly service: ServiceProcess
  readonly #row: FairnessRow
  readonly #secrets: Readonly<Record<Who, string>> | undefined
  readonly #agent = new Agent({ keepAlive: true })
  readonly #sockets = new Set<Socket>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly toldSoFar: Record<string, number> = {}
  #closed = false

  constructor(service: ServiceProcess, row: FairnessRow, secrets?: Readonly<Record<Who, string>>) {
    this.service = service
    this.#row = row
    this.#secrets = secrets
  }

  /** A header line with its line end, or nothing where no tokens are used. */
  authorization(who: Who): string {
    return this.#secrets === undefined ? '' : `Authorization: Bearer ${this.#secrets[who]}\r\n`
  }

  headersOf(who: Who): Record<string, string> {
    return this.#secrets === undefined ? {} : { Authorization: `Bearer ${this.#secrets[who]}` }
  }

  /** Counts what happened to the greedy client. */
  told(what: string): void {
    this.toldSoFar[what] = (this.toldSoFar[what] ?? 0) + 1
  }

  /** The status of the answer, all of which is read; 0 if it is cut off. */
  send(path: string, { method = 'GET', headers = {}, body, newConnection = false }: HonestRequest = {}) {
    return new Promise<number>((resolve) => {
      const sent = request(
        {
          ...{ host: this.service.host, port: this.service.port, path, method, localAddress: HONEST_ADDRESS },
          agent: newConnection ? false : this.#agent,
          headers: { ...headers, ...this.headersOf('honest') },
        },
        (response) => {
          response.resume()
          response.on('error', () => resolve(0))
          response.on('end', () => resolve(response.complete ? (response.statusCode ?? 0) : 0))
        },
      )
      sent.on('error', () => resolve(0))
      sent.end(body)
    })
  }

  /**
   * A connection of the greedy client. `begin` writes on it, and is called again with a new one whenever the service
   * closes it; what the service said is counted, as its status, or as `closed`.
   */
  hold(begin: (socket: Socket) => void, readBytesPerSecond = Number.POSITIVE_INFINITY): void {
    if (this.#closed) return
    const socket = connect({
      host: this.service.host,
      port: this.service.port,
      localAddress: this.#row.sameAddress === true ? HONEST_ADDRESS : GREEDY_ADDRESS,
    })
    this.#sockets.add(socket)
    let status: string | undefined
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      status ??= chunk.toString('latin1', 9, 12)
      if (!Number.isFinite(readBytesPerSecond)) return
      socket.pause()
      this.later(() => socket.resume(), (1000 * chunk.length) / readBytesPerSecond)
    })
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (this.#closed) return
      this.told(status === undefined || status === '200' ? 'closed' : status)
      this.later(() => this.hold(begin, readBytesPerSecond), REOPEN_MS)
    })
    socket.once('connect', () => begin(socket))
  }

  /** Again and again until the connection or the scene is over. */
  every(ms: number, socket: Socket, step: () => void): void {
    const timer = setInterval(step, ms)
    this.#timers.add(timer)
    socket.once('close', () => clearInterval(timer))
  }

  later(step: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      step()
    }, ms)
    this.#timers.add(timer)
  }

  /** Until the greedy client's connections are as many, and have had time to send what they send at once. */
  async greedyConnections(count: number): Promise<void> {
    while ([...this.#sockets].filter((socket) => !socket.connecting).length < count) await sleep(10)
    await sleep(300)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const socket of this.#sockets) socket.destroy()
    this.#agent.destroy()
  }
}
