/**
 * A PostgreSQL server for tests, with its data in a temporary folder. As root it runs as the user `postgres`, because
 * initdb refuses root. Data is not synced: a crash of the machine may lose it, a crash of the server process does not.
 */
import { execFile, execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { connectedClient } from './postgres-client.ts'

const run = promisify(execFile)

/** The folder of initdb and pg_ctl; PGBIN names it where it is elsewhere. */
export const POSTGRES_BIN = findBin()
/** Why tests with PostgreSQL cannot run here; undefined: they can. */
export const NO_POSTGRES =
  POSTGRES_BIN === undefined
    ? 'PostgreSQL is not installed: initdb was not found; PGBIN may name its folder'
    : undefined

function findBin(): string | undefined {
  const folders = [process.env.PGBIN, ...[17, 16, 15].map((version) => `/usr/lib/postgresql/${version}/bin`)]
  try {
    folders.push(
      execFileSync('pg_config', ['--bindir'], { stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim(),
    )
  } catch {
    // pg_config belongs to the development files.
  }
  return folders.find((folder) => folder !== undefined && existsSync(join(folder, 'initdb')))
}

const CONFIG = (folder: string, port: number) => `
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = '${folder}'
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
fsync = off
full_page_writes = off
shared_buffers = 64MB
wal_writer_delay = 10ms
`

export class TestPostgres {
  readonly port: number
  readonly #folder: string

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.port = port
  }

  /** Starts a server. Call `remove` when its tests are over. */
  static async start(): Promise<TestPostgres> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
    if (isRoot()) {
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres']).toString()))
      chownSync(folder, uid!, gid!)
    }
    const server = new TestPostgres(folder, await freePort())
    await server.#command(
      'initdb',
      '-D',
      server.#data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '--no-sync',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
    )
    writeFileSync(join(server.#data, 'postgresql.conf'), CONFIG(folder, server.port), { flag: 'a' })
    await server.resume()
    return server
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  uri(user = 'postgres', parameters = ''): string {
    return `postgres://${user}:secret-word@127.0.0.1:${this.port}/postgres${parameters}`
  }

  /** Runs statements as the superuser; rows of the last one. */
  async sql(
    text: string,
    values?: unknown[],
    connectionString = this.uri(),
  ): Promise<Record<string, unknown>[]> {
    const client = await connectedClient(connectionString)
    try {
      const result: unknown = await client.query(text, values)
      const last = Array.isArray(result) ? result.at(-1) : result
      return (last as { rows: Record<string, unknown>[] }).rows
    } finally {
      await client.end()
    }
  }

  /** Does the work while a transaction with this statement is open. */
  async holding<T>(text: string, work: () => Promise<T>): Promise<T> {
    const client = await connectedClient(this.uri())
    try {
      await client.query('BEGIN')
      await client.query(text)
      return await work()
    } finally {
      await client.query('ROLLBACK')
      await client.end()
    }
  }

  /** Makes the server accept TLS, with these PEM files. The server is started again. */
  async useTls(certificate: string, key: string): Promise<void> {
    await this.stop()
    for (const [name, pem] of [
      ['server.crt', certificate],
      ['server.key', key],
    ] as const) {
      const path = join(this.#data, name)
      writeFileSync(path, pem, { mode: 0o600 })
      if (isRoot()) {
        const { uid, gid } = statSync(this.#data)
        chownSync(path, uid, gid)
      }
    }
    writeFileSync(join(this.#data, 'postgresql.conf'), 'ssl = on\n', { flag: 'a' })
    await this.resume()
  }

  /** Ends all client connections at once. */
  async stop(): Promise<void> {
    await this.#command('pg_ctl', '-D', this.#data, '-m', 'fast', '-w', 'stop')
  }

  /** Ends the server as a crash would. */
  async crash(): Promise<void> {
    await this.#command('pg_ctl', '-D', this.#data, '-m', 'immediate', '-w', 'stop')
  }

  /** Starts the stopped server again. */
  async resume(): Promise<void> {
    await this.#command(
      'pg_ctl',
      '-D',
      this.#data,
      '-l',
      join(this.#folder, 'log'),
      '-w',
      '-t',
      '60',
      'start',
    )
  }

  /** Stops every process of the server without ending it, until `continue`. */
  pause(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGSTOP')
  }

  continue(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGCONT')
  }

  async remove(): Promise<void> {
    if (existsSync(join(this.#data, 'postmaster.pid'))) await this.crash()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** The server process and its children. */
  #pids(): number[] {
    const postmaster = Number(readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[0])
    const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8')
    return [
      postmaster,
      ...children
        .split(' ')
        .filter((pid) => pid !== '')
        .map(Number),
    ]
  }

  async #command(name: string, ...args: string[]): Promise<void> {
    const command = join(POSTGRES_BIN!, name)
    // pg_ctl leaves its output open in the server that it starts, so the output goes nowhere.
    const line = [command, ...args].map((arg) => `'${arg}'`).join(' ')
    const shell = `${line} >/dev/null 2>&1 </dev/null`
    await (isRoot()
      ? run('su', ['postgres', '-s', '/bin/sh', '-c', shell], { cwd: '/' })
      : run('sh', ['-c', shell]))
  }
}

/** A process of a connection may end in between. */
function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function isRoot(): boolean {
  return userInfo().uid === 0
}
