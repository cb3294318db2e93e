/** The arrows of ARCHITECTURE.md: which files may import which, and which files may read the clock. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

interface SourceFile {
  /** From the root, with forward slashes: `src/http/app.ts`. */
  readonly path: string
  readonly text: string
  /** Files of ours by path, packages by name. */
  readonly imports: readonly string[]
}

const FILES: readonly SourceFile[] = ['src', 'storage'].flatMap((folder) => readFolder(folder))
const PURE_FOLDERS = ['src/decoders/', 'src/formats/', 'src/schemas/', 'src/sql/']

function readFolder(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const path = relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/')
      const text = readFileSync(join(ROOT, path), 'utf8')
      const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target]) =>
        target!.startsWith('.') ? normalize(join(dirname(path), target!)).replaceAll('\\', '/') : target!,
      )
      return { path, text, imports }
    })
}

/** `file -> import` of every file for which both tests hold. */
function arrows(from: (path: string) => boolean, to: (target: string) => boolean): string[] {
  return FILES.filter(({ path }) => from(path)).flatMap(({ path, imports }) =>
    imports.filter((target) => to(target)).map((target) => `${path} -> ${target}`),
  )
}

/** The folders of src that a folder may import, besides streams. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  formats: ['schemas', 'sql'],
  decoders: ['schemas'],
  duckdb: ['formats', 'sql'],
  worker: ['duckdb'],
  explore: ['duckdb', 'worker', 'formats', 'schemas'],
  tables: ['sql', 'formats'],
  jars: ['sql-scripts', 'jobs', 'sql', 'tables'],
  jobs: ['tables', 'sql', 'duckdb', 'worker', 'formats', 'schemas', 'auth'],
  cdc: ['sql', 'tables', 'worker', 'formats'],
  'sql-scripts': ['jobs', 'tables', 'sql', 'auth'],
  deployments: ['sql-scripts', 'jobs', 'jars', 'tables', 'sql', 'auth'],
  'cached-queries': ['cdc', 'jobs', 'sql', 'tables', 'worker', 'formats'],
}

const within =
  (...folders: string[]) =>
  (path: string) =>
    folders.some((folder) => path.startsWith(folder))
const isPackage = (name: string) => (target: string) => target === name || target.startsWith(`${name}/`)
const isOurs = within('src/', 'storage/')

describe('arrows', () => {
  test('the files are found at all', () => {
    expect(FILES.length).toBeGreaterThan(40)
    expect(FILES.flatMap(({ imports }) => imports).filter(isOurs).length).toBeGreaterThan(100)
  })

  test('R1 only src/http imports Hono, and only its listener.ts the adapter for node', () => {
    expect(arrows((path) => !path.startsWith('src/http/'), isPackage('hono'))).toEqual([])
    expect(arrows((path) => path !== 'src/http/listener.ts', isPackage('@hono/node-server'))).toEqual([])
  })

  test('R2 storage imports nothing from src', () => {
    expect(arrows(within('storage/'), within('src/'))).toEqual([])
  })

  test('R3 only the files that open the service and the commands for closed stores import a storage engine', () => {
    const mayPick = within('src/main.ts', 'src/engine.ts', 'src/commands/')
    const engine = within('storage/level/', 'storage/level-files/', 'storage/kafka/')
    expect(arrows((path) => path.startsWith('src/') && !mayPick(path), engine)).toEqual([])
    const mayOpen = within('storage/level/', 'src/cdc/worker/row-store.ts')
    expect(arrows((path) => !mayOpen(path), isPackage('level'))).toEqual([])
  })

  test('R4 src/streams imports no other folder of src, but the type of a format', () => {
    // The type of a stream's format is the only thing that streams takes from another folder.
    const allowed = within(
      'src/streams/',
      'src/service-error.ts',
      'src/formats/format-specification.ts',
      'storage/',
    )
    expect(arrows(within('src/streams/'), (target) => isOurs(target) && !allowed(target))).toEqual([])
  })

  test('R5 decoders, formats and schemas are pure; of storage they see the types of log.ts', () => {
    const impure = (target: string) =>
      (target.startsWith('storage/') && target !== 'storage/log.ts') ||
      /^node:(fs|net|http|https|http2|dgram|tls|dns|timers|child_process|worker_threads|cluster|os)\b/.test(
        target,
      )
    expect(arrows(within(...PURE_FOLDERS), impure)).toEqual([])
    const contract = FILES.find(({ path }) => path === 'storage/log.ts')!.text
    expect(contract).not.toMatch(/^export (?!type |interface )|^import (?!type )/m)
    const clocks = FILES.filter(({ path }) => within(...PURE_FOLDERS)(path)).filter(({ text }) =>
      /\b(Date|performance|setTimeout|setInterval|setImmediate|fetch|Math\.random)\s*[.(]/.test(text),
    )
    expect(clocks.map(({ path }) => path)).toEqual([])
  })

  test('R8 only the folders that run DuckDB import it', () => {
    const isDuckDb = (target: string) => target.startsWith('@duckdb/')
    const mayImport = within('src/duckdb/', 'src/explore/', 'src/jobs/worker/', 'src/jobs/plan/')
    expect(arrows((path) => !mayImport(path), isDuckDb)).toEqual([])
  })

  test('R8 only the connection of the connectors and the session of capture import the client of PostgreSQL', () => {
    const mayImport = within(
      'src/jobs/connectors/postgres-connection.ts',
      'src/cdc/worker/database-session.ts',
    )
    expect(arrows((path) => !mayImport(path), isPackage('pg'))).toEqual([])
  })

  test('R8 only the connectors of jobs import the client of Kafka: the storage engine speaks the protocol itself', () => {
    const mayImport = within('src/jobs/connectors/kafka-client.ts')
    expect(arrows((path) => !mayImport(path), isPackage('@platformatic/kafka'))).toEqual([])
  })

  test('tests connect to PostgreSQL with the client whose errors are handled', () => {
    const makers = readFolder('test').filter(({ text }) => /new (pg\.)?Client\(config\)/.test(text))
    const others = readFolder('test').filter(({ text }) => /new pg\.(Client|Pool)\((?!config\))/.test(text))
    expect(makers.map(({ path }) => path)).toEqual(['test/support/postgres-client.ts'])
    expect(others.map(({ path }) => path)).toEqual([])
  })

  test('a folder of src other than http and commands imports no other folder but streams', () => {
    const folder = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1]
    const wrong = arrows(
      (path) => folder(path) !== undefined && folder(path) !== 'http' && folder(path) !== 'commands',
      () => true,
    ).filter((arrow) => {
      const [from, to] = arrow.split(' -> ') as [string, string]
      const target = folder(to)
      if (target === undefined || target === folder(from) || target === 'streams') return false
      if (to === 'src/formats/format-specification.ts') return false
      return !BELOW[folder(from)!]?.includes(target)
    })
    expect(wrong).toEqual([])
  })

  test('http and commands do not import each other, and no other folder imports them', () => {
    const entryPoints = within('src/http/', 'src/commands/')
    const openers = within(
      'src/main.ts',
      'src/service.ts',
      'src/coordinator-modules.ts', // the types of services for routes
      'src/cli.ts',
    )
    const wrong = FILES.filter(({ path }) => !openers(path)).flatMap(({ path, imports }) =>
      imports
        .filter((target) => entryPoints(target) && !within(path.split('/', 2).join('/'))(target))
        .map((target) => `${path} -> ${target}`),
    )
    expect(wrong).toEqual([])
  })

  describe('R7 the layers of src/http', () => {
    const layers = ['src/http/server/', 'src/http/messages/']
    const apis = [...new Set(FILES.flatMap(({ path }) => /^src\/http\/[^/]+\//.exec(path) ?? []))].filter(
      (folder) => !layers.includes(folder),
    )
    /** From `folder` to what is in src/http and neither in `folder` itself nor in `allowed`. */
    const beyond = (folder: string, ...allowed: string[]) =>
      arrows(
        within(folder),
        (target) => target.startsWith('src/http/') && !within(folder, ...allowed)(target),
      )

    test('the folders of APIs are found', () => {
      expect(apis).toContain('src/http/cdap/')
    })

    test('an API imports no other API: of src/http only server, messages and the type of an API', () => {
      expect(apis.flatMap((api) => beyond(api, ...layers, 'src/http/api.ts'))).toEqual([])
    })

    test('messages imports server and no API', () => {
      expect(beyond('src/http/messages/', 'src/http/server/')).toEqual([])
    })

    test('server imports neither messages nor an API', () => {
      expect(beyond('src/http/server/')).toEqual([])
    })

    test('each API has one line in the list of APIs, and at most one in the list of documents', () => {
      const lists = ['src/http/app.ts', 'src/http/document-parsers.ts']
      const direct = arrows(
        (path) => /^src\/http\/[^/]+$/.test(path) || !path.startsWith('src/http/'),
        within(...apis),
      ).filter((arrow) => !arrow.startsWith('src/service.ts -> src/http/cdap/')) // plain POSTs do not pass Hono
      const expected = apis.flatMap((api) => [
        `${lists[0]} -> ${api}api.ts`,
        `${lists[1]} -> ${api}documents.ts`,
      ])
      expect(expected).toEqual(expect.arrayContaining(direct))
    })
  })

  test('R6 there are no cycles', () => {
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (path: string, trail: readonly string[]) => {
      if (trail.includes(path))
        return void cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      if (done.has(path)) return
      for (const target of FILES.find((file) => file.path === path)?.imports ?? []) {
        if (isOurs(target)) visit(target, [...trail, path])
      }
      done.add(path)
    }
    for (const { path } of FILES) visit(path, [])
    expect(cycles).toEqual([])
  })

  test('the clock and randomness are handed in: only the entry points of the service, of the worker of jobs and of capture use those of the platform', () => {
    const takers = FILES.filter(({ text }) => /\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)/.test(text))
    expect(takers.map(({ path }) => path).sort()).toEqual([
      'src/cdc/worker/capture-process.ts',
      'src/cli.ts',
      'src/jobs/worker/job-worker-process.ts',
    ])
  })

  test('only the secret of a new token, the key of secrets at rest and the nonce of SCRAM make randomness', () => {
    const makers = FILES.filter(({ text }) =>
      /\brandom(Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b/.test(text),
    )
    expect(makers.map(({ path }) => path).sort()).toEqual([
      'src/auth/new-secret.ts',
      'src/tables/secret-key.ts',
      'storage/kafka/scram.ts',
    ])
  })

  test('grants are decided without HTTP: auth and audit import no server of node', () => {
    expect(
      arrows(within('src/auth/', 'src/audit/'), (target) => /^node:(http|https|http2|net|tls)/.test(target)),
    ).toEqual([])
  })
})
