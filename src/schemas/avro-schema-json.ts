/**
 * Parses the JSON of a schema without loss: numbers keep their text, members keep their order, depth is bounded.
 *
 * JSON.parse would change `1.0` and `9223372036854775807`, move members whose names are integers to the front, and give
 * `__proto__` a meaning. A member that occurs twice has its first place and its last value.
 */
import { AvroProblem } from './avro-problem.ts'

export type Json = null | boolean | string | JsonNumber | JsonArray | JsonObject
export type JsonArray = readonly Json[]
export type JsonObject = ReadonlyMap<string, Json>

export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Nesting of arrays and objects. Recursive walks over a schema rely on it. Real schemas stay below 50. */
export const SCHEMA_DEPTH_MAX = 500

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const SPACES = ' \t\n\r'
const LITERALS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

export function parseJson(text: string): Json {
  return new JsonReader(text).document()
}

export function isJsonObject(json: Json | undefined): json is JsonObject {
  return json instanceof Map
}

export function isJsonArray(json: Json | undefined): json is JsonArray {
  return Array.isArray(json)
}

class JsonReader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): Json {
    const value = this.#value()
    if (this.#peek() !== '') throw this.#unexpected()
    return value
  }

  #value(): Json {
    const first = this.#peek()
    if (first === '{') return this.#nested(() => this.#object())
    if (first === '[') return this.#nested(() => this.#array())
    if (first === '"') return this.#string()
    for (const [word, value] of LITERALS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length
        return value
      }
    }
    NUMBER.lastIndex = this.#at
    const number = NUMBER.exec(this.#text)
    if (number === null) throw this.#unexpected()
    this.#at = NUMBER.lastIndex
    return new JsonNumber(number[0])
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1
    if (this.#depth > SCHEMA_DEPTH_MAX) {
      throw new AvroProblem(`the schema is nested deeper than ${SCHEMA_DEPTH_MAX} levels`)
    }
    const value = read()
    this.#depth -= 1
    return value
  }

  #object(): JsonObject {
    const members = new Map<string, Json>()
    this.#take('{')
    if (this.#peek() !== '}') {
      do {
        if (this.#peek() !== '"') throw this.#unexpected()
        const name = this.#string()
        this.#take(':')
        members.set(name, this.#value())
      } while (this.#takeIf(','))
    }
    this.#take('}')
    return members
  }

  #array(): JsonArray {
    const items: Json[] = []
    this.#take('[')
    if (this.#peek() !== ']') {
      do items.push(this.#value())
      while (this.#takeIf(','))
    }
    this.#take(']')
    return items
  }

  #string(): string {
    const start = this.#at
    let end = start + 1
    for (;;) {
      const quote = this.#text.indexOf('"', end)
      if (quote < 0) throw new AvroProblem('the schema is not JSON: it ends inside a string')
      let backslashes = 0
      while (this.#text[quote - 1 - backslashes] === '\\') backslashes += 1
      end = quote + 1
      if (backslashes % 2 === 0) break
    }
    this.#at = end
    try {
      return JSON.parse(this.#text.slice(start, end)) as string
    } catch (cause) {
      const problem = `the schema is not JSON: the string at character ${start + 1} has an invalid escape or character`
      throw new AvroProblem(problem, { cause })
    }
  }

  /** The next character that is not white space; '' at the end. */
  #peek(): string {
    while (this.#at < this.#text.length && SPACES.includes(this.#text[this.#at]!)) this.#at += 1
    return this.#text.charAt(this.#at)
  }

  #takeIf(wanted: string): boolean {
    if (this.#peek() !== wanted) return false
    this.#at += 1
    return true
  }

  #take(wanted: string): void {
    if (!this.#takeIf(wanted)) throw this.#unexpected()
  }

  #unexpected(): AvroProblem {
    const found = this.#text.charAt(this.#at)
    if (found === '') return new AvroProblem('the schema is not JSON: it ends too early')
    return new AvroProblem(
      `the schema is not JSON: ${JSON.stringify(found)} at character ${this.#at + 1} is out of place`,
    )
  }
}
