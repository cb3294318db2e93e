/**
 * Names and prose use the field's terms: no word of the list below stands in a file of the project, neither as a word nor as a
 * part of a camelCase or snake_case name. One test for each folder: `npx vitest run test/plain-words.test.ts -t src/http`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PROJECT_FOLDER } from './support/service-process.ts'

interface BannedWord {
  /** Of lower-case words. A space also matches the end of a comment's line. */
  readonly pattern: string
  readonly instead: string
}

const BANNED: readonly BannedWord[] = [
  { pattern: 'workshops?', instead: 'query worker' },
  { pattern: 'turnstiles?', instead: 'semaphore' },
  { pattern: 'surroundings', instead: 'environment' },
  { pattern: 'houses?', instead: 'service' },
  { pattern: 'cellars?', instead: 'storage' },
  { pattern: 'front doors?', instead: 'HTTP layer' },
  { pattern: 'living rooms?', instead: 'module' },
  { pattern: 'rooms?', instead: 'disk space, memory, capacity or module' },
  { pattern: 'companions?|accompan(?:y|ies|ied|ying)', instead: 'removal hook, or: beside, together with' },
  { pattern: 'patience', instead: 'cancel signal, or: time limit' },
  { pattern: 'leftovers?', instead: 'remainder, or the name of what is left: unwritten totals' },
  { pattern: 'strangers?', instead: 'unauthenticated client' },
  { pattern: 'contestants?', instead: 'build under test' },
  { pattern: 'shel(?:f|ves)', instead: 'cache' },
  { pattern: 'steps? back', instead: 'lower the priority' },
  { pattern: '(?:gives?|gave|giving) way', instead: 'release, yield, or: lose the name' },
  { pattern: 'usual way', instead: 'the Hono listener, or the name of the other path' },
  { pattern: '(?:is|are|be|was|were) told|told of', instead: 'returned, reported, shown, or: receives' },
  { pattern: 'look(?:s|ed)? after', instead: 'check, monitor, or: start, close' },
  { pattern: '(?:comes|came) to', instead: 'reaches, is, or: starts' },
  { pattern: 'nobody', instead: 'no client, no caller' },
  { pattern: 'somebody', instead: 'a client, a caller' },
  { pattern: 'whoever', instead: 'a client that, a caller that' },
  { pattern: 'at it', instead: 'the name of the thing, or another verb' },
  { pattern: 'goes (?:its|their) way', instead: 'continues' },
  { pattern: 'comes? into being', instead: 'is created' },
  { pattern: 'at hand', instead: 'in memory, available' },
]

/** Where a wire contract, or a thing that has no other name, needs the word. */
const ALLOWED: readonly { readonly file: RegExp; readonly text: RegExp; readonly reason: string }[] = [
  {
    file: /^test\/plain-words\.test\.ts$/,
    text: /./,
    reason: 'the list itself',
  },
  {
    file: /^CHANGELOG\.md$/,
    text: /`strangers`/,
    reason: 'the old value of an audit line, for operators who search for it',
  },
  {
    file: /^test\/(clients|jobs)\//,
    text: /stranger/,
    reason: 'a host name in the events of the tutorial',
  },
]

/** Files of other people, word for word: the pattern library. */
const NOT_OURS = /^src\/formats\/patterns\//
const FOLDERS = ['src', 'storage', 'test', 'bench', 'docs', '.ci']
const IS_PROSE_OR_CODE = /\.(ts|mts|mjs|js|md|ya?ml|c|java|py|lua|sh|xml)$|^\.ci\//

const WORDS = new RegExp(
  `\\b(?:${BANNED.map(({ pattern }) => `(${pattern.replaceAll(' ', '[\\s*/#]+')})`).join('|')})\\b`,
  'gi',
)

function filesOfProject(): string[] {
  const inFolders = FOLDERS.flatMap((folder) =>
    entries(folder, true).map((name) => join(folder, name).replaceAll('\\', '/')),
  )
  const documents = entries('.', false).filter((name) => name.endsWith('.md'))
  return [...inFolders, ...documents].filter((file) => IS_PROSE_OR_CODE.test(file) && !NOT_OURS.test(file))
}

/** Names of files only; none where there is no such folder. */
function entries(folder: string, recursive: boolean): string[] {
  try {
    return readdirSync(join(PROJECT_FOLDER, folder), { recursive, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(PROJECT_FOLDER, folder).length + 1))
  } catch {
    return []
  }
}

/** `src/http` for src/http/cdap/view-json.ts, `src` for src/main.ts. */
function folderOf(file: string): string {
  return file.split('/').slice(0, -1).slice(0, 2).join('/') || 'the root folder'
}

/** As words with spaces between them; line ends stay where they are. */
function asWords(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replaceAll('_', ' ')
}

/** One line for each: file:line, the word, and what to write. */
function findingsIn(file: string): string[] {
  const text = readFileSync(join(PROJECT_FOLDER, file), 'utf8')
  const findings = [...asWords(text).matchAll(WORDS)].flatMap((match) => {
    const line = lineOf(match.input, match.index)
    const source = text.split('\n', line).at(-1) ?? ''
    return isAllowed(file, source) ? [] : [`${file}:${line}: ${insteadOf(match)}`]
  })
  const inName = [...asWords(file).replaceAll('-', ' ').matchAll(WORDS)]
  return [...inName.map((match) => `${file}: the name: ${insteadOf(match)}`), ...findings]
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

function isAllowed(file: string, line: string): boolean {
  return ALLOWED.some((place) => place.file.test(file) && place.text.test(line))
}

function insteadOf([word, ...groups]: RegExpExecArray): string {
  const { instead } = BANNED[groups.findIndex((group) => group !== undefined)]!
  return `'${word.replace(/[\s*/#]+/g, ' ')}'; write: ${instead}`
}

const files = filesOfProject()
const folders = [...new Set(files.map(folderOf))].sort()

test('the files are found at all', () => {
  expect(files.length).toBeGreaterThan(500)
})

test.each(folders)('%s is written in plain words', (folder) => {
  const findings = files.filter((file) => folderOf(file) === folder).flatMap(findingsIn)
  expect(findings.length, `places in ${folder}: ${findings.length}\n${findings.join('\n')}\n`).toBe(0)
})

test('names are taken apart, and longer words are not', () => {
  const found = (text: string) => [...asWords(text).matchAll(WORDS)].map(([word]) => word.toLowerCase())
  expect(found('const usualWay = openHouse(LIVING_ROOM)\n// which is\n * told')).toEqual([
    'usual way',
    'house',
    'living room',
    'is\n * told',
  ])
  expect(found('warehouse, bathroom, mushroom, somebodyElse, it is toldly')).toEqual(['somebody'])
})
