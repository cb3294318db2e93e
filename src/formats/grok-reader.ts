/**
 * Reads lines by a pattern: the text of a capture becomes the field of that name. Patterns are described in
 * grok-pattern.ts; regex/match.ts finds a match in bounded time.
 *
 * Of several captures of one name, a field has the last one with a text, and a list has all of them.
 * `%{NUMBER:bytes:int}` fills a field `bytes` too: the schema decides the type of the field. Only captures of requested
 * fields are compiled.
 *
 * A line that does not match is not an error: the fields then have no value.
 *
 * Indexes are asserted with `!`: they come from the fields, the captures and the line that the arrays were made for.
 */
import type { RecordSchema } from '../schemas/schema.ts'
import { LineReader } from './line-reader.ts'
import { alsoWrong, type FormatError, type Value } from './record-reader.ts'
import { RegexMatcher } from './regex/match.ts'
import { compileTree, type RegexProgram } from './regex/program.ts'
import { PatternError, type PatternTrees } from './regex/tree.ts'
import { utf8 } from './text-bytes.ts'
import { fill, fillNothing, LIST, type TextField, textFields } from './text-field.ts'

/** Why the pattern does not compile; undefined if it does. Its structure must have been checked (grok-pattern.ts). */
export function compileProblem(pattern: string, trees: PatternTrees): string | undefined {
  try {
    compileTree(trees.parse(pattern), () => true)
    return undefined
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
}

export interface GrokOptions {
  /** The compiled library that the pattern refers to. */
  readonly trees: PatternTrees
  /** Captures that also fill a field of another name: name of the capture -> name of the field. */
  readonly aliases?: ReadonlyMap<string, string>
  /** Returns the error of a line `bytes[start, end)` that does not match; undefined if that is not an error. */
  readonly unmatched?: Unmatched
}

export type Unmatched = (bytes: Uint8Array, start: number, end: number) => FormatError | undefined

const NO_ALIASES: ReadonlyMap<string, string> = new Map()

export class GrokReader extends LineReader {
  readonly #fields: readonly TextField[]
  /** For each field, the captures that may fill it. */
  readonly #captures: readonly (readonly number[])[]
  readonly #inQuotes: readonly boolean[]
  readonly #matcher: RegexMatcher
  readonly #unmatched: Unmatched | undefined
  /** The UTF-16 code units of the line. */
  #units = new Uint16Array(1024)

  constructor(
    pattern: string,
    schema: RecordSchema,
    wanted: readonly number[],
    { trees, aliases = NO_ALIASES, unmatched }: GrokOptions,
  ) {
    super()
    this.#unmatched = unmatched
    this.#fields = textFields(schema, wanted)
    const names = new Set(schema.fields.map((field) => field.name))
    const fieldNamed = (name: string) => (names.has(name) ? name : name.split(/[:;]/, 1)[0])
    const fills = (name: string, field: string) => fieldNamed(name) === field || aliases.get(name) === field
    const program: RegexProgram = compileTree(trees.parse(pattern), (name) =>
      this.#fields.some((field) => fills(name, field.name)),
    )
    this.#captures = this.#fields.map((field) =>
      program.captures.flatMap(({ name }, index) => (fills(name, field.name) ? [index] : [])),
    )
    this.#inQuotes = program.captures.map((capture) => capture.inQuotes)
    this.#matcher = new RegexMatcher(program)
  }

  protected line(bytes: Uint8Array, start: number, end: number, into: Value[]): FormatError | undefined {
    const length = end - start
    if (this.#units.length < length) this.#units = new Uint16Array(2 * length)
    const units = this.#units
    let seen = 0
    for (let index = 0; index < length; index++) {
      const byte = bytes[start + index]!
      units[index] = byte
      seen |= byte
    }
    let matched = length
    let text: string | undefined
    if (seen >= 0x80) {
      text = utf8(bytes, start, end)
      matched = text.length
      for (let index = 0; index < matched; index++) units[index] = text.charCodeAt(index)
    }
    const outcome = this.#matcher.find(units, matched)
    if (outcome === 'tooLong') return { reason: 'the pattern took too long on this event' }
    const wrong = this.#fill(outcome === 'match', units, bytes, start, text, into)
    if (outcome === 'match' || this.#unmatched === undefined) return wrong
    return this.#unmatched(bytes, start, end) ?? wrong
  }

  /**
   * `text` is the content of `units` if the line is not ASCII; otherwise indexes of `units` are offsets from `start` in
   * `bytes`.
   */
  #fill(
    isMatch: boolean,
    units: Uint16Array,
    bytes: Uint8Array,
    start: number,
    text: string | undefined,
    into: Value[],
  ): FormatError | undefined {
    let wrong: FormatError | undefined
    const fields = this.#fields
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!
      const captures = this.#captures[index]!
      let error: FormatError | undefined
      if (field.kind === LIST) {
        into[field.slot] = isMatch ? this.#texts(captures, bytes, start, text) : []
      } else {
        const capture = isMatch ? this.#lastFound(captures) : -1
        if (capture < 0) {
          error = fillNothing(field, into)
        } else {
          const from = this.#from(capture, units)
          const to = this.#to(capture, from)
          if (text === undefined) {
            error = fill(field, bytes, start + from, start + to, into)
          } else {
            const found = Buffer.from(text.slice(from, to), 'utf8')
            error = fill(field, found, 0, found.length, into)
          }
        }
      }
      if (error !== undefined) wrong = alsoWrong(wrong, error)
    }
    return wrong
  }

  #lastFound(captures: readonly number[]): number {
    for (let index = captures.length - 1; index >= 0; index--) {
      if (this.#matcher.slots[2 * captures[index]! + 1]! >= 0) return captures[index]!
    }
    return -1
  }

  #texts(
    captures: readonly number[],
    bytes: Uint8Array,
    start: number,
    text: string | undefined,
  ): readonly string[] {
    const texts: string[] = []
    for (const capture of captures) {
      if (this.#matcher.slots[2 * capture + 1]! < 0) continue
      const from = this.#from(capture, this.#units)
      const to = this.#to(capture, from)
      texts.push(text === undefined ? utf8(bytes, start + from, start + to) : text.slice(from, to))
    }
    return texts
  }

  /** Where the text of a capture begins. For a capture of a quoted string, that is after the quote. */
  #from(capture: number, units: Uint16Array): number {
    const from = this.#matcher.slots[2 * capture]!
    const to = this.#matcher.slots[2 * capture + 1]!
    return this.#inQuotes[capture] && to - from >= 2 && units[from] === units[to - 1] ? from + 1 : from
  }

  #to(capture: number, from: number): number {
    const to = this.#matcher.slots[2 * capture + 1]!
    return from > this.#matcher.slots[2 * capture]! ? to - 1 : to
  }
}
