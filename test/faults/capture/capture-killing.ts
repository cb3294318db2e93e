/** A service that captures databases under load, killed in every way and started again on the same folder. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { MarkedPause } from '../../support/marked-pause.ts'
import type { TestPostgres } from '../../support/postgres.ts'
import { connectedClient } from '../../support/postgres-client.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { listening, type ServiceProcess, spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { CachedClient } from './cached-client.ts'
import { DatabaseLoad, SCHEMA } from './database-load.ts'

export const ROUND_KINDS = [
  'capture',
  'service',
  'database',
  'capture',
  'service while it starts',
  'worker',
  'pause',
] as const
export type RoundKind = (typeof ROUND_KINDS)[number] | 'service in a pause'

/** A second reader of the log, which nothing here kills. */
export const CHECK_SLOT = 'check'

export interface Captured {
  readonly database: string
  readonly environment: string
  readonly uri: string
  readonly connection: number
  readonly load: DatabaseLoad
}

export interface KillingOptions {
  readonly seed: number
  readonly postgres: TestPostgres
  readonly databases: readonly string[]
  /** The file that starts the service; by default that of the build. */
  readonly cli?: string
  /** Where a kill in a pause comes. */
  readonly pause?: MarkedPause
}

export class CaptureKilling {
  readonly client: CachedClient
  readonly captured: Captured[] = []
  readonly counts = new Map<string, number>()
  readonly #folder: string
  readonly #random: SeededRandom
  readonly #options: KillingOptions
  #service: ServiceProcess

  private constructor(service: ServiceProcess, folder: string, options: KillingOptions) {
    this.#service = service
    this.#folder = folder
    this.#random = seededRandom(options.seed)
    this.#options = options
    this.client = new CachedClient(service.port)
  }

  /** Resolves when the load runs and the tables are being captured. */
  static async begin(options: KillingOptions): Promise<CaptureKilling> {
    const folder = await temporaryFolder()
    const killing = new CaptureKilling(await listening(start(folder, options)), folder, options)
    for (const [index, database] of options.databases.entries()) {
      await options.postgres.sql(`create database ${database}`)
      const uri = options.postgres.uri().replace(/\/postgres$/, `/${database}`)
      await sqlOn(uri, SCHEMA)
      const load = new DatabaseLoad(uri, options.seed + 100 * index)
      const environment = `env-${database}`
      const created = await killing.client.create('/createDatabaseConnection', {
        ...{ connectionString: uri, environmentId: environment },
        tables: 'public.customers,public.orders,public.tags',
      })
      killing.captured.push({ database, environment, uri, connection: created.id, load })
    }
    return killing
  }

  /** Creates the second slots, and a row in each table from which on the changes are compared one by one. */
  async mark(): Promise<void> {
    for (const { uri, load } of this.captured) {
      await sqlOn(
        uri,
        `select pg_create_logical_replication_slot('${CHECK_SLOT}_' || current_database(), 'test_decoding')`,
      )
      await sqlOn(uri, MARKS)
      load.isWild = true
    }
  }

  async round(kind: RoundKind): Promise<void> {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    // A service that has just started writes nothing yet, so a kill would find nothing to double.
    for (const { connection, load } of this.captured) {
      await this.client.captured(connection, 0n, CAPTURING_MS)
      await load.goneOn(TRANSACTIONS_LEAST, CAPTURING_MS)
    }
    const { postgres, pause } = this.#options
    if (kind === 'service in a pause') await pause!.begun(PAUSE_BEGINS_MS)
    else await delay(this.#random.whole(100, 1_500))
    if (kind === 'capture') signalTo(this.#child('capture-process'), 'SIGKILL')
    else if (kind === 'worker') signalTo(this.#child('job-worker-process'), 'SIGKILL')
    else if (kind === 'database') {
      await postgres.crash()
      await delay(this.#random.whole(0, 300))
      await postgres.resume()
    } else if (kind === 'pause') {
      postgres.pause()
      await delay(this.#random.whole(100, 500))
      if (this.#random.next() < 0.5) signalTo(this.#child('capture-process'), 'SIGKILL')
      postgres.continue()
    } else {
      await this.#service.kill()
      if (kind === 'service while it starts') {
        const starting = start(this.#folder, this.#options)
        await delay(this.#random.whole(300, 2_000))
        await starting.kill()
      }
      this.#service = await listening(start(this.#folder, this.#options), START_MS)
      this.client.port = this.#service.port
    }
  }

  async endLoad(): Promise<void> {
    await Promise.all(this.captured.map(({ load }) => load.end()))
  }

  get output(): string {
    return `${this.#service.stdout}\n${this.#service.stderr}`
  }

  #child(name: string): number | undefined {
    try {
      const { pid } = this.#service
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .split(' ')
        .filter((child) => child !== '')
        .map(Number)
        .find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(name))
    } catch {
      return undefined // it has ended
    }
  }
}

/** A start on a machine that is busy with the load. */
const START_MS = 120_000
const CAPTURING_MS = 180_000
/** A service that captures a load reaches the pause of an altered build in this time. */
const PAUSE_BEGINS_MS = 20_000
/** Of each database, between one kill and the next, on a slow machine too. */
const TRANSACTIONS_LEAST = 10

/** In one transaction, so that it has one place in the order of commits. */
const MARKS = `begin;
insert into customers values (-1, 'mark', null, 0);
insert into orders values (-1, -1, 0, null, null, null, 0);
insert into tags values (-1, 'mark', 0);
commit;`

export async function sqlOn(uri: string, text: string): Promise<pg.QueryResult> {
  const client = await connectedClient({
    connectionString: uri,
    types: { getTypeParser: () => (value: unknown) => value } as pg.CustomTypesConfig,
  })
  try {
    const result: unknown = await client.query(text)
    return (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult
  } finally {
    await client.end()
  }
}

function start(folder: string, { cli }: KillingOptions) {
  return spawnCli({ args: ['--port', '0', '--data', folder] }, cli)
}

function signalTo(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, signal)
  } catch {
    // it has ended
  }
}
