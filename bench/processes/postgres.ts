/** A PostgreSQL server for one round, its data in a folder of the round. As root it runs as the user `postgres`. */
import { execFile, execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeTempFolder, removeFolder } from '../cleanup.ts'

const run = promisify(execFile)
const VERSIONS = [18, 17, 16, 15, 14]

/** Why there is none here; undefined if there is one. */
export async function withoutPostgres(): Promise<string | undefined> {
  return binaries() === undefined
    ? 'PostgreSQL is not installed (apt-get install postgresql; PGBIN may name the folder of initdb)'
    : undefined
}

/** Starts a server, does `work` with its address and stops it. `sql` prepares it. */
export async function withPostgres<T>(sql: string, work: (uri: string) => Promise<T>): Promise<T> {
  const folder = makeTempFolder(tmpdir())
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  chmodSync(folder, 0o755)
  if (isRoot()) chownSync(data, postgresId('-u'), postgresId('-g'))
  const port = await freePort()
  try {
    await command('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--locale=C.UTF-8')
    const settings = `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = ''\nfsync = off\nwal_level = logical\n`
    appendFileSync(join(data, 'postgresql.conf'), settings)
    await command('pg_ctl', '-D', data, '-l', join(data, 'log'), '-w', '-t', '60', 'start')
    const uri = `postgres://postgres:unused@127.0.0.1:${port}/postgres`
    await command('psql', '-q', '-v', 'ON_ERROR_STOP=1', '-d', uri, '-c', sql)
    return await work(uri)
  } finally {
    await command('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop').catch(() => {}) // it has not started
    removeFolder(folder)
  }
}

function command(name: string, ...args: string[]): Promise<unknown> {
  const options = { cwd: '/', ...(isRoot() && { uid: postgresId('-u'), gid: postgresId('-g') }) }
  return run(join(binaries()!, name), args, options)
}

function binaries(): string | undefined {
  const folders = [process.env.PGBIN, ...VERSIONS.map((version) => `/usr/lib/postgresql/${version}/bin`)]
  return folders.find((folder) => folder !== undefined && existsSync(join(folder, 'initdb')))
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function postgresId(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres']).toString())
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
