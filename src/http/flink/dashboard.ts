/**
 * The files of Flink's own web dashboard, which the operator has on disk: only GET, and only files that were there at the start, so
 * no path leads out of the folder.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import { ServiceError } from '../../service-error.ts'
import type { Api, AppOptions } from '../api.ts'
import { piecesOf } from '../messages/file-pieces.ts'
import { answerPieces, type BegunPieces, beginPieces } from '../messages/long-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { flinkProblemShape } from './problem-shape.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.xml': 'application/xml',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.gif': 'image/gif',
  '.jpg': 'image/jpeg',
  '.ttf': 'font/ttf',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.eot': 'application/vnd.ms-fontobject',
}
const FILES_MAX = 10_000
/** The largest file of a dashboard has 4 MB. */
const FILE_BYTES_MAX = 32 * 1024 * 1024
/** A name with a hash of the content in it never has another content. */
const HASH_IN_NAME = /[.-](?:[0-9a-f]{16,}|[0-9A-Z_]{8})\.[a-z0-9]+$/
/** Handlers in attributes of the page, and scripts in its text; the dashboard has one that shows its styles when they are loaded. */
const INLINE = /\son[a-z]+="([^"]*)"|<script>([\s\S]*?)<\/script>/g

interface DashboardFile {
  readonly path: string
  readonly bytes: number
  readonly tag: string
}

export interface DashboardFiles {
  /** By path in URLs: `/index.html`, `/assets/vs/loader.js`. */
  readonly files: ReadonlyMap<string, DashboardFile>
  readonly policy: string
}

/** Links and hidden files are left out. Throws an Error of one sentence if the folder cannot be read or has no index.html. */
export function readDashboard(folder: string): DashboardFiles {
  const files = new Map<string, DashboardFile>()
  for (const entry of entriesOf(folder)) {
    const path = join(entry.parentPath, entry.name)
    const url = `/${relative(folder, path).split(sep).join('/')}`
    if (!entry.isFile() || url.includes('/.')) continue
    const { size, mtimeMs } = statSync(path)
    if (size > FILE_BYTES_MAX) continue
    if (files.size >= FILES_MAX)
      throw new Error(`dashboard folder ${folder} has more than ${FILES_MAX} files; name the folder web`)
    files.set(url, { path, bytes: size, tag: tagOf(url, size, mtimeMs) })
  }
  const page = files.get('/index.html')
  if (page !== undefined) return { files, policy: policyOf(readFileSync(page.path, 'utf8')) }
  throw new Error(
    `dashboard folder ${folder} has no index.html; name the folder web of flink-runtime-web's jar, unpacked`,
  )
}

/** Scripts and styles come from this service; the editor of the dashboard runs in workers made from blobs and adds styles. */
function policyOf(page: string): string {
  const hashes = [...page.matchAll(INLINE)].map(([, handler, script]) => {
    const hash = createHash('sha256')
      .update(handler ?? script!)
      .digest('base64')
    return ` 'sha256-${hash}'`
  })
  return [
    "default-src 'self'",
    `script-src 'self'${hashes.length > 0 ? ` 'unsafe-hashes'${hashes.join('')}` : ''}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "frame-ancestors 'none'",
  ].join('; ')
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`dashboard folder ${folder} cannot be read: ${reason}`, { cause })
  }
}

/** All paths that no other API of the port owns. `files` undefined: there is no dashboard. */
export function dashboardApi(files: DashboardFiles | undefined): Api {
  return {
    name: 'flink-dashboard',
    owns: () => true,
    routes: (_, options) => {
      const handle = (c: HttpContext) => answerFile(c, files, options)
      return [
        ['GET', '/', 'anybody', handle],
        ['GET', '/*', 'anybody', handle],
      ]
    },
    subjectOf: () => ({ namespace: undefined }),
    problemShape: () => flinkProblemShape,
    noRoute: (target) => `Method not allowed: ${target.replace(/\?.*$/s, '')}`,
  }
}

async function answerFile(
  c: HttpContext,
  files: DashboardFiles | undefined,
  options: AppOptions,
): Promise<Response> {
  const { path } = c.req
  const url = path === '/' ? '/index.html' : path
  const file = files?.files.get(url)
  if (files === undefined || file === undefined)
    throw new ServiceError('part_not_found', missing(path, files))
  const headers = {
    'content-type': TYPES[extname(url).toLowerCase()] ?? 'application/octet-stream',
    'cache-control': HASH_IN_NAME.test(url) ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-security-policy': files.policy,
    etag: file.tag,
  }
  if (c.req.header('if-none-match')?.split(/,\s*/).includes(file.tag)) return c.body(null, 304, headers)
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, 'content-length': String(file.bytes) })
  let pieces: BegunPieces
  try {
    pieces = await beginPieces(piecesOf(file.path))
  } catch (cause) {
    throw new ServiceError('part_not_found', missing(path, files), { cause })
  }
  return answerPieces(c, pieces, headers, options)
}

function missing(path: string, files: DashboardFiles | undefined): string {
  if (path === '/' && files === undefined)
    return 'There is no dashboard here; start with --flink-dashboard, or ask for /overview.'
  return `Unable to load requested file ${path.slice(0, 1_000)}.`
}

function tagOf(url: string, size: number, mtimeMs: number): string {
  return `"${createHash('sha256').update(`${url} ${size} ${mtimeMs}`).digest('hex').slice(0, 32)}"`
}
