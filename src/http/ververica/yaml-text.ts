/**
 * JSON values as YAML in block style, members in their order. Texts are plain where every reader of YAML 1.1 and 1.2 takes them for texts;
 * those of several lines are literal blocks; others are in double quotes, with the escapes of JSON.
 */
import type { Json, JsonObject } from '../../deployments/resources.ts'

/** With a line end. `indent`: spaces before each line but the first. */
export function yamlText(value: Json, indent = 0): string {
  if (typeof value === 'object' && value !== null && !isEmpty(value)) return blockText(value, indent)
  return `${scalarText(value, indent)}\n`
}

function blockText(value: readonly Json[] | JsonObject, indent: number): string {
  const margin = ' '.repeat(indent)
  const lines = isList(value)
    ? value.map((item) => `- ${yamlText(item, indent + 2)}`)
    : Object.entries(value).map(([name, member]) => `${keyText(name, margin)}:${memberText(member, indent)}`)
  return lines.join(margin)
}

function memberText(value: Json, indent: number): string {
  if (typeof value !== 'object' || value === null || isEmpty(value))
    return ` ${scalarText(value, indent + 2)}\n`
  return `\n${' '.repeat(indent + 2)}${blockText(value, indent + 2)}`
}

/** Of scalars and empty collections. */
function scalarText(value: Json, indent: number): string {
  if (typeof value === 'string') return isBlock(value) ? literalText(value, indent) : lineText(value)
  return JSON.stringify(value)
}

/** A key is on the line of its value only up to 1,024 characters. */
function keyText(name: string, margin: string): string {
  const text = lineText(name)
  return text.length > KEY_CHARACTERS_MAX ? `? ${text}\n${margin}` : text
}

const KEY_CHARACTERS_MAX = 1_000

function lineText(text: string): string {
  return isPlain(text) ? text : quoted(text)
}

const PLAIN = /^[A-Za-z_](?:[\w./+=*()<>,;'"$@-]| (?=[\w./+=*()<>,;'"$@-]))*$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Words that are no texts in YAML 1.1 or 1.2. */
const WORDS = /^(?:null|true|false|yes|no|on|off|y|n)$/i

function isPlain(text: string): boolean {
  return (PLAIN.test(text) && !WORDS.test(text)) || UUID.test(text)
}

/** What YAML does not print, and what some readers take for a line end. */
const UNPRINTED = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    UNPRINTED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Whether a text of several lines is the same when it is read from a literal block. Its first line tells the indentation. */
function isBlock(text: string): boolean {
  return text.includes('\n') && /^[^\s]/.test(text) && !UNFIT.test(text)
}

/** Characters that need an escape in YAML: controls but line feed and tab, halves of characters. */
const UNFIT =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]|\p{Surrogate}/u

function literalText(text: string, indent: number): string {
  const margin = ' '.repeat(indent)
  const isEnded = text.endsWith('\n')
  const chomping = !isEnded ? '-' : text.endsWith('\n\n') ? '+' : ''
  const body = isEnded ? text.slice(0, -1) : text
  return `|${chomping}\n${body.replace(/^(?=[^\n])/gm, margin)}`
}

function isEmpty(value: readonly Json[] | JsonObject): boolean {
  return isList(value) ? value.length === 0 : Object.keys(value).length === 0
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value)
}
