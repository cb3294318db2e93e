/** Version and commit of this build, read once from the files beside it. */
import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What Flink has where the commit of a build is not known. */
const UNKNOWN_COMMIT = '<unknown>'
const COMMIT = /^[0-9a-f]{40}$/

export interface BuildFacts {
  readonly version: string
  /** Seven characters, or `<unknown>`. */
  readonly commit: string
  /** 40 characters; undefined if it is not known. */
  readonly wholeCommit?: string | undefined
}

/** `folder` contains package.json; by default it is the nearest one above this file, from `src` and from `dist/src`. */
export function readBuildFacts(folder = packageFolder()): BuildFacts {
  if (folder === undefined) return { version: 'unknown', commit: UNKNOWN_COMMIT }
  const { version = 'unknown' } = JSON.parse(textOf(join(folder, 'package.json')) ?? '{}')
  const wholeCommit = commitOf(folder)
  return { version, commit: wholeCommit?.slice(0, 7) ?? UNKNOWN_COMMIT, wholeCommit }
}

function packageFolder(): string | undefined {
  const here = dirname(fileURLToPath(import.meta.url))
  return ['../..', '../../..']
    .map((path) => join(here, path))
    .find((folder) => textOf(join(folder, 'package.json')) !== undefined)
}

/** Of a checkout; undefined for a package without its repository. */
function commitOf(folder: string): string | undefined {
  const git = gitFolder(join(folder, '.git'))
  if (git === undefined) return undefined
  const head = textOf(join(git, 'HEAD'))?.trim() ?? ''
  if (COMMIT.test(head)) return head
  const reference = /^ref: (refs\/[^\s]+)$/.exec(head)?.[1]
  if (reference === undefined || reference.includes('..')) return undefined
  const shared = textOf(join(git, 'commondir'))?.trim()
  const common = shared === undefined ? git : isAbsolute(shared) ? shared : join(git, shared)
  const commit = (textOf(join(common, reference)) ?? packed(common, reference))?.trim()
  return commit !== undefined && COMMIT.test(commit) ? commit : undefined
}

/** A worktree has a file instead of the folder. */
function gitFolder(path: string): string | undefined {
  const link = textOf(path)
  if (link === undefined) return path
  return /^gitdir: (.+)$/m.exec(link)?.[1]
}

function packed(git: string, reference: string): string | undefined {
  const lines = textOf(join(git, 'packed-refs'))?.split('\n') ?? []
  return lines.find((line) => line.endsWith(` ${reference}`))?.slice(0, 40)
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
