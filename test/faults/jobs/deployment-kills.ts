/** A deployment that copies numbers, on a built service that is killed in its transitions and started again on the same folder. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { proofFailure, proven } from '../../support/proven.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { listening, type ServiceProcess, spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { FlinkClient } from './flink-client.ts'

const API = '/api/v1/namespaces/default'
const SCRIPT = (bound: number) => `INSERT INTO copied SELECT n FROM numbers WHERE n > -${bound}`
/** A transition, and the start of a service on a busy machine. */
const REACHED_MS = 120_000
const POLL_MS = 20

export type Transition = 'suspend' | 'start' | 'STATEFUL' | 'STATELESS' | 'cancel'
/** When the service is killed: a random time after the request, or when the wanted state is seen. */
export type Moment = 'between' | 'at the end'

// biome-ignore lint/suspicious/noExplicitAny: bodies as the API sends them
type Body = any

export interface KillsOptions {
  readonly seed: number
  /** The file that starts the service; by default that of the build. */
  readonly cli?: string
}

export class DeploymentKills {
  readonly counts = new Map<string, number>()
  readonly #folder: string
  readonly #options: KillsOptions
  readonly #random: SeededRandom
  #service: ServiceProcess
  #client: FlinkClient
  #id = ''
  #posted = 0
  #upgrades = 1
  #suspensions = 0

  private constructor(service: ServiceProcess, folder: string, options: KillsOptions) {
    this.#service = service
    this.#folder = folder
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.#client = new FlinkClient(service.port)
  }

  /** Resolves when the deployment is RUNNING. */
  static async begin(options: KillsOptions): Promise<DeploymentKills> {
    const folder = await temporaryFolder()
    const kills = new DeploymentKills(await listening(start(folder, options)), folder, options)
    const integration = await kills.#client.builtIn()
    for (const name of ['numbers', 'copied']) {
      await kills.#client.createStream(name)
      await kills.#client.table(integration, { name, schema_sql: 'n BIGINT', kafka_topic: name })
    }
    const template = { spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: SCRIPT(1) } } }
    const body = { metadata: { name: 'copy' }, spec: { state: 'RUNNING', template } }
    const created = await kills.#call('POST', '/deployments', body)
    kills.#id = created!.metadata.id
    await kills.#reaches('RUNNING')
    return kills
  }

  /** One request, one kill, and what must hold afterwards. */
  async round(transition: Transition, moment: Moment): Promise<void> {
    this.#count(`${transition}, ${moment}`)
    await this.#post()
    const spec = this.#specOf(transition)
    const wanted = WANTED[transition]
    if (transition === 'suspend') this.#suspensions++
    const patched = this.#patch(spec)
    if (moment === 'between') await delay(this.#random.whole(0, 600))
    else {
      await patched
      await this.#reaches(wanted)
    }
    await this.#service.kill()
    const accepted = await patched
    this.#service = await listening(start(this.#folder, this.#options))
    this.#client = new FlinkClient(this.#service.port)
    if (!accepted) {
      this.#count('not accepted before the kill')
      expect(await this.#patch(spec)).toBe(true)
    }
    await this.#reaches(wanted)
    await this.#expectOnce(wanted, spec)
  }

  /** Every number that was posted has been copied once, in order. */
  async settled(): Promise<number> {
    await this.#patch({ state: 'RUNNING' })
    await this.#reaches('RUNNING')
    await this.#post()
    const endMs = Date.now() + REACHED_MS
    for (;;) {
      const found = (await this.#client.events('copied')).map(
        ({ body }) => JSON.parse(String(body)).n as number,
      )
      await proven(() => expect(found).toEqual(found.map((_, index) => index)))
      if (found.length === this.#posted) return found.length
      if (Date.now() > endMs)
        throw proofFailure(new Error(`${found.length} of ${this.#posted} numbers were copied`))
      await delay(POLL_MS)
    }
  }

  end(): Promise<unknown> {
    return this.#service.kill()
  }

  async #post(): Promise<void> {
    const lines = Array.from({ length: 20 }, (_, i) => JSON.stringify({ n: this.#posted + i }))
    expect(await this.#client.post('numbers', lines)).toBe(200)
    this.#posted += lines.length
  }

  #specOf(transition: Transition): object {
    switch (transition) {
      case 'suspend':
        return { state: 'SUSPENDED' }
      case 'cancel':
        return { state: 'CANCELLED' }
      case 'start':
        return { state: 'RUNNING' }
      default: {
        const template = { spec: { artifact: { sqlScript: SCRIPT(++this.#upgrades) } } }
        return { state: 'RUNNING', upgradeStrategy: { kind: transition }, template }
      }
    }
  }

  /** Whether it was accepted; false if there is no answer. */
  async #patch(spec: object): Promise<boolean> {
    return (await this.#call('PATCH', `/deployments/${this.#id}`, { spec })) !== undefined
  }

  async #reaches(state: string): Promise<void> {
    const endMs = Date.now() + REACHED_MS
    for (;;) {
      const { status } = (await this.#call('GET', `/deployments/${this.#id}`))!
      if (status.state === state) return
      if (status.state === 'FAILED' || Date.now() > endMs) throw proofFailure(await this.#problem(state))
      await delay(POLL_MS)
    }
  }

  async #problem(state: string): Promise<Error> {
    const deployment = await this.#call('GET', `/deployments/${this.#id}`)
    const events = await this.#call('GET', `/events?deploymentId=${this.#id}`)
    const last = events!.items.slice(-12).map(({ message }: Body) => message)
    return new Error(
      `the deployment is ${JSON.stringify(deployment!.status)} and not ${state}: ${last.join(' · ')}`,
    )
  }

  /** One job or none, one savepoint for each suspension, and the wanted template. */
  async #expectOnce(state: string, spec: object): Promise<void> {
    const { jobs } = (await this.#client.call('GET', '/jobs/overview')) as Body
    const live = jobs.filter((job: Body) => !['CANCELED', 'FAILED', 'FINISHED'].includes(job.state))
    const resources = (await this.#call('GET', `/jobs?deploymentId=${this.#id}`))!.items
    const started = resources.filter((job: Body) => job.status.state === 'STARTED')
    const ids = (all: Body[], idOf: (one: Body) => string) => all.map(idOf)
    await proven(() => {
      expect(live.length, 'jobs that run').toBe(state === 'RUNNING' ? 1 : 0)
      expect(ids(live, (job) => job.jid)).toEqual(ids(started, (job) => job.status.started.flinkJobId))
    })
    const savepoints = (await this.#call('GET', `/savepoints?deploymentId=${this.#id}`))!.items
    const suspended = savepoints.filter(
      ({ metadata, status }: Body) => metadata.origin === 'SUSPEND' && status.state === 'COMPLETED',
    )
    await proven(() => expect(suspended.length, 'savepoints of suspensions').toBe(this.#suspensions))
    const deployment = await this.#call('GET', `/deployments/${this.#id}`)
    await proven(() => expect(deployment!.spec).toMatchObject(spec))
    const running = started[0]?.spec.artifact.sqlScript
    if (running !== undefined)
      await proven(() => expect(running).toBe(deployment!.spec.template.spec.artifact.sqlScript))
  }

  /** Undefined if the connection ended without an answer. */
  async #call(method: string, path: string, body?: unknown): Promise<Body | undefined> {
    let response: Response
    let text: string
    try {
      response = await fetch(`http://127.0.0.1:${this.#service.port}${API}${path}`, {
        method,
        ...(body !== undefined && {
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        }),
      })
      text = await response.text()
    } catch {
      return undefined
    }
    if (response.status >= 300) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

const WANTED = {
  ...{ suspend: 'SUSPENDED', cancel: 'CANCELLED', start: 'RUNNING', STATEFUL: 'RUNNING' },
  STATELESS: 'RUNNING',
} as const

function start(folder: string, { cli }: KillsOptions) {
  return spawnCli({ args: ['--port', '0', '--data', folder], hasChildren: true }, cli)
}
