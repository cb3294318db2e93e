/** The arrows of ARCHITECTURE.md: what may import what, and who may look at the clock. */
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
const PURE_ROOMS = ['src/decoders/', 'src/formats/', 'src/schemas/']

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

  test('R1 only src/http knows Hono, and only service.ts its server', () => {
    expect(arrows((path) => !path.startsWith('src/http/'), isPackage('hono'))).toEqual([])
    expect(arrows((path) => path !== 'src/service.ts', isPackage('@hono/node-server'))).toEqual([])
  })

  test('R2 storage imports nothing from src', () => {
    expect(arrows(within('storage/'), within('src/'))).toEqual([])
  })

  test('R3 only main.ts, service.ts and the commands for closed stores pick a storage engine; the rooms see the contracts', () => {
    const mayPick = within('src/main.ts', 'src/service.ts', 'src/environment.ts', 'src/commands/')
    const engine = within('storage/level/', 'storage/level-files/')
    expect(arrows((path) => path.startsWith('src/') && !mayPick(path), engine)).toEqual([])
    expect(arrows((path) => !path.startsWith('storage/level/'), isPackage('level'))).toEqual([])
  })

  test('R4 streams uses no other room', () => {
    const allowed = within('src/streams/', 'src/service-error.ts', 'storage/')
    expect(arrows(within('src/streams/'), (target) => isOurs(target) && !allowed(target))).toEqual([])
  })

  test('R5 decoders, formats and schemas are pure; of storage they see the types of log.ts', () => {
    const impure = (target: string) =>
      (target.startsWith('storage/') && target !== 'storage/log.ts') ||
      /^node:(fs|net|http|https|http2|dgram|tls|dns|timers|child_process|worker_threads|cluster|os)\b/.test(
        target,
      )
    expect(arrows(within(...PURE_ROOMS), impure)).toEqual([])
    const contract = FILES.find(({ path }) => path === 'storage/log.ts')!.text
    expect(contract).not.toMatch(/^export (?!type |interface )|^import (?!type )/m)
    const clocks = FILES.filter(({ path }) => within(...PURE_ROOMS)(path)).filter(({ text }) =>
      /\b(Date|performance|setTimeout|setInterval|setImmediate|fetch|Math\.random)\s*[.(]/.test(text),
    )
    expect(clocks.map(({ path }) => path)).toEqual([])
  })

  test('rooms other than the doors, http and commands, import no other room but streams', () => {
    const room = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1]
    const wrong = arrows(
      (path) => room(path) !== undefined && room(path) !== 'http' && room(path) !== 'commands',
      () => true,
    ).filter((arrow) => {
      const [from, to] = arrow.split(' -> ') as [string, string]
      const target = room(to)
      if (target === undefined || target === room(from) || target === 'streams') return false
      if (room(from) === 'explore' && (target === 'formats' || target === 'schemas')) return false
      return !((room(from) === 'formats' || room(from) === 'decoders') && target === 'schemas')
    })
    expect(wrong).toEqual([])
  })

  test('the two doors do not know each other, and no room knows a door', () => {
    const doors = within('src/http/', 'src/commands/')
    const outside = within('src/main.ts', 'src/service.ts', 'src/cli.ts')
    const wrong = FILES.filter(({ path }) => !outside(path)).flatMap(({ path, imports }) =>
      imports
        .filter((target) => doors(target) && !within(path.split('/', 2).join('/'))(target))
        .map((target) => `${path} -> ${target}`),
    )
    expect(wrong).toEqual([])
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

  test('the clock and chance are handed in: only cli.ts has them', () => {
    const takers = FILES.filter(({ text }) => /\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)/.test(text))
    expect(takers.map(({ path }) => path)).toEqual(['src/cli.ts'])
  })

  test('secrets are made where they are handed to their owner, and nowhere else', () => {
    const makers = FILES.filter(({ text }) =>
      /\brandom(Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b/.test(text),
    )
    expect(makers.map(({ path }) => path)).toEqual(['src/commands/token.ts'])
  })

  test('what a token may do is decided without HTTP: auth and audit know no server, request or status', () => {
    expect(
      arrows(within('src/auth/', 'src/audit/'), (target) => /^node:(http|https|http2|net|tls)/.test(target)),
    ).toEqual([])
  })
})
