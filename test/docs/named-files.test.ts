/** The files, folders, links and headings that a document of the project names exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { PROJECT_FOLDER } from '../support/service-process.ts'

const FOLDERS = ['src', 'storage', 'test', 'bench', 'docs']
const files = [
  ...readdirSync(PROJECT_FOLDER),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(PROJECT_FOLDER, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(folder, name),
    ),
  ),
]
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  ...files.filter((file) => file.startsWith('docs') && file.endsWith('.md')),
]

function text(document: string): string {
  return readFileSync(join(PROJECT_FOLDER, document), 'utf8')
}

function found(document: string, pattern: RegExp): string[] {
  return [...text(document).matchAll(pattern)].map((match) => match[1]!)
}

/** Anchors of the headings, as GitHub generates them. */
function anchors(document: string): string[] {
  return found(document, /^#+ (.*)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test.each(documents)('every source file that %s names exists', (document) => {
  const named = found(document, /(?<![\w./*{-])((?:[\w-]+\/)*[\w.-]+\.(?:ts|mjs))\b/g)
  const folders = found(document, /`((?:src|storage|test|bench)\/[\w/-]*)`/g)
  const missing = [
    // `stream_logs.ts` is a column of a table.
    ...named.filter((name) => !name.startsWith('stream_') && !isEndOfPath(name)),
    ...folders.filter((folder) => !existsSync(join(PROJECT_FOLDER, folder))),
  ]
  expect(missing).toEqual([])
})

/** Documents may leave out the first folders of a path. */
function isEndOfPath(name: string): boolean {
  return files.some((file) => file === name || file.endsWith(`/${name}`))
}

test.each(documents)('every link of %s has a target', (document) => {
  const missing = found(document, /\]\(([^)\s]+)\)/g).filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? document : normalize(join(dirname(document), path))
    if (!existsSync(join(PROJECT_FOLDER, target))) return true
    return anchor !== undefined && !anchors(target).includes(anchor)
  })
  expect(missing).toEqual([])
})
