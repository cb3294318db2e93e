/**
 * A body `application/json`: one object of texts. Its grammar has no nesting, so it is read by one pattern for each member, and a
 * name that is there twice is seen. `purge` may also be true or false.
 */
import { assertText, type FieldNames, type Fields, invalidRequest, isKnown, twice } from './fields.ts'

const SPACE = /[ \t\n\r]*/y
const TEXT = /"(?:[^"\\]|\\.)*"/y
const LITERAL = /true|false|null/y
/** Other names are not repeated: a broken body may have a connection string there. */
const PLAIN_NAME = /^[A-Za-z0-9_]{1,40}$/

/** Throws ServiceError 'invalid_parameter'. */
export function jsonFields(body: Uint8Array, names: FieldNames): Fields {
  const reader = new Reader(textOf(body))
  const fields = new Map<string, string>()
  if (!reader.takes('{')) throw invalidRequest(`the body is ${reader.kind()}; send a JSON object of texts`)
  if (reader.takes('}')) return reader.end(fields)
  do {
    const name = reader.text()
    if (name === undefined) throw reader.notJson()
    if (!isKnown(names, name))
      throw invalidRequest(
        `unknown field${PLAIN_NAME.test(name) ? ` '${name}'` : ''}; this call has ${[...names.required, ...names.optional].join(', ')}`,
      )
    if (fields.has(name)) throw twice(name)
    if (!reader.takes(':')) throw reader.notJson()
    const value = reader.text() ?? (name === 'purge' ? reader.truth() : undefined)
    if (value === undefined) throw invalidRequest(`field ${name} is ${reader.kind()}; use a text`)
    assertText(name, value)
    fields.set(name, value)
  } while (reader.takes(','))
  if (!reader.takes('}')) throw reader.notJson()
  return reader.end(fields)
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Whether this character is next; then it is read. */
  takes(character: string): boolean {
    this.#match(SPACE)
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  text(): string | undefined {
    this.#match(SPACE)
    const found = this.#match(TEXT)
    if (found === undefined) return undefined
    try {
      return JSON.parse(found) as string
    } catch {
      throw this.notJson() // an escape that JSON does not have, or a control character
    }
  }

  truth(): string | undefined {
    const at = this.#at
    const found = this.#match(LITERAL)
    if (found === 'true' || found === 'false') return found
    this.#at = at
    return undefined
  }

  /** What is next, for a message. */
  kind(): string {
    this.#match(SPACE)
    const next = this.#text[this.#at]
    if (next === undefined) return 'empty'
    if (next === '[') return 'a list'
    if (next === '{') return 'an object'
    if (/[-0-9]/.test(next)) return 'a number'
    if (next === '"') return 'a text'
    return this.#match(LITERAL) ?? 'no JSON'
  }

  end(fields: Fields): Fields {
    this.#match(SPACE)
    if (this.#at < this.#text.length) throw this.notJson()
    return fields
  }

  notJson() {
    const before = this.#text.slice(0, this.#at)
    const line = before.split('\n').length
    const column = this.#at - before.lastIndexOf('\n')
    return invalidRequest(
      `the body is not JSON at line ${line}, column ${column}; send a JSON object of texts`,
    )
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}

/** A byte order mark is skipped. */
function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw invalidRequest('the body is not UTF-8; send JSON in UTF-8', cause)
  }
}
