/** Reads the blocks of a Prisma schema: their fields and attributes, with the places of their names. */
import type { QueryProblem } from '../query-plan.ts'
import {
  type PlaceOfSpan,
  placesInSchema,
  refusalsAt,
  type SchemaRefusal,
  type SchemaToken,
  schemaTokens,
} from './schema-tokens.ts'

export interface Block {
  /** model, enum, view, type, datasource, generator */
  readonly kind: string
  readonly name: SchemaToken
  /** Fields of a model, values of an enum. */
  readonly fields: readonly Field[]
  /** `@@id([a, b])` */
  readonly attributes: readonly Attribute[]
  /** `provider = "postgresql"` */
  readonly assignments: ReadonlyMap<string, { readonly name: SchemaToken; readonly value: Value }>
}

export interface Field {
  readonly name: SchemaToken
  /** Undefined for a value of an enum. */
  readonly type: FieldType | undefined
  readonly attributes: readonly Attribute[]
}

export interface FieldType {
  readonly name: SchemaToken
  /** `Unsupported("tsvector")` */
  readonly unsupported: string | undefined
  readonly isList: boolean
  readonly isOptional: boolean
}

export interface Attribute {
  /** `id`, `db.VarChar` */
  readonly name: string
  readonly args: readonly Argument[]
  readonly start: number
  readonly end: number
}

export interface Argument {
  readonly name: string | undefined
  readonly value: Value
}

export type Value =
  | { readonly kind: 'text' | 'number' | 'word'; readonly value: string }
  | { readonly kind: 'list'; readonly values: readonly Value[] }
  | { readonly kind: 'call'; readonly value: string }

const KINDS = new Set(['model', 'enum', 'view', 'type', 'datasource', 'generator'])
const DEPTH_MAX = 50

/** Throws QueryProblem. */
export function schemaBlocks(schema: string): {
  readonly blocks: readonly Block[]
  readonly refuse: SchemaRefusal
  readonly placeOf: PlaceOfSpan
} {
  const placeOf = placesInSchema(schema)
  const refuse = refusalsAt(placeOf)
  return { blocks: new Reader(schemaTokens(schema, refuse), refuse).blocks(), refuse, placeOf }
}

class Reader {
  readonly #source: Iterator<SchemaToken>
  /** Those that have been read. */
  readonly #tokens: SchemaToken[] = []
  readonly #refuse: SchemaRefusal
  #at = 0

  constructor(tokens: Iterator<SchemaToken>, refuse: SchemaRefusal) {
    this.#source = tokens
    this.#refuse = refuse
  }

  blocks(): Block[] {
    const blocks: Block[] = []
    for (this.#breaks(); this.#peek().kind !== 'end'; this.#breaks()) blocks.push(this.#block())
    return blocks
  }

  #block(): Block {
    const kind = this.#peek()
    if (kind.kind !== 'word' || !KINDS.has(kind.text))
      throw this.#unexpected('model, enum, view, type, datasource or generator')
    this.#at++
    const name = this.#word('a name')
    this.#mark('{')
    const block = {
      kind: kind.text,
      name,
      fields: [] as Field[],
      attributes: [] as Attribute[],
      assignments: new Map(),
    }
    for (this.#breaks(); !this.#skip('}'); this.#breaks()) {
      if (this.#isMark('@@')) block.attributes.push(this.#attribute())
      else if (kind.text === 'datasource' || kind.text === 'generator') this.#assignment(block.assignments)
      else block.fields.push(this.#field(kind.text === 'enum'))
      if (this.#isMark('}')) continue
      if (this.#peek().kind !== 'break') throw this.#unexpected('the end of the line')
    }
    return block
  }

  #assignment(assignments: Map<string, { name: SchemaToken; value: Value }>): void {
    const name = this.#word('a name')
    this.#mark('=')
    assignments.set(name.text, { name, value: this.#value(0) })
  }

  #field(isEnum: boolean): Field {
    const name = this.#word('the name of a field')
    const type = isEnum ? undefined : this.#type()
    const attributes: Attribute[] = []
    while (this.#isMark('@')) attributes.push(this.#attribute())
    return { name, type, attributes }
  }

  #type(): FieldType {
    const name = this.#word('the type of the field')
    let unsupported: string | undefined
    if (name.text === 'Unsupported' && this.#skip('(')) {
      const text = this.#peek()
      if (text.kind !== 'text') throw this.#unexpected('a text in double quotes')
      this.#at++
      unsupported = text.value
      this.#mark(')')
    }
    let isList = false
    if (this.#skip('[')) {
      this.#mark(']')
      isList = true
    }
    const isOptional = this.#skip('?')
    this.#skip('!')
    return { name, unsupported, isList, isOptional }
  }

  #attribute(): Attribute {
    const { start } = this.#peek()
    this.#at++
    let name = this.#word('the name of an attribute').text
    while (this.#skip('.')) name += `.${this.#word('a name').text}`
    const args = this.#skip('(') ? this.#arguments(0) : []
    return { name, args, start, end: this.#tokens[this.#at - 1]!.end }
  }

  /** Up to the closing parenthesis. They may have several lines. */
  #arguments(depth: number): Argument[] {
    const args: Argument[] = []
    for (this.#breaks(); !this.#skip(')'); ) {
      const name = this.#peek(1)
      const isNamed = this.#peek().kind === 'word' && name.kind === 'mark' && name.text === ':'
      const label = isNamed ? this.#peek().text : undefined
      if (isNamed) this.#at += 2
      this.#breaks()
      args.push({ name: label, value: this.#value(depth) })
      this.#breaks()
      if (!this.#skip(',') && !this.#isMark(')')) throw this.#unexpected("',' or ')'")
      this.#breaks()
    }
    return args
  }

  #value(depth: number): Value {
    const token = this.#peek()
    if (depth > DEPTH_MAX) throw this.#refuse(`values are nested deeper than ${DEPTH_MAX} levels`, token)
    if (token.kind === 'text' || token.kind === 'number') {
      this.#at++
      return { kind: token.kind, value: token.value }
    }
    if (this.#skip('[')) {
      const values: Value[] = []
      for (this.#breaks(); !this.#skip(']'); ) {
        values.push(this.#value(depth + 1))
        this.#breaks()
        if (!this.#skip(',') && !this.#isMark(']')) throw this.#unexpected("',' or ']'")
        this.#breaks()
      }
      return { kind: 'list', values }
    }
    let value = this.#word('a value').text
    while (this.#skip('.')) value += `.${this.#word('a name').text}`
    if (!this.#skip('(')) return { kind: 'word', value }
    this.#arguments(depth + 1)
    return { kind: 'call', value }
  }

  #peek(ahead = 0): SchemaToken {
    while (this.#tokens.length <= this.#at + ahead && this.#tokens.at(-1)?.kind !== 'end') {
      this.#tokens.push(this.#source.next().value as SchemaToken)
    }
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!
  }

  #breaks(): void {
    while (this.#peek().kind === 'break') this.#at++
  }

  #isMark(mark: string): boolean {
    const token = this.#peek()
    return token.kind === 'mark' && token.text === mark
  }

  #skip(mark: string): boolean {
    if (!this.#isMark(mark)) return false
    this.#at++
    return true
  }

  #mark(mark: string): void {
    if (!this.#skip(mark)) throw this.#unexpected(`'${mark}'`)
  }

  #word(wanted: string): SchemaToken {
    const token = this.#peek()
    if (token.kind !== 'word') throw this.#unexpected(wanted)
    this.#at++
    return token
  }

  #unexpected(wanted: string): QueryProblem {
    const token = this.#peek()
    const got =
      { end: 'the schema ends', break: 'the line ends' }[token.kind as string] ??
      `got '${token.text.slice(0, 60)}'`
    return this.#refuse(`expected ${wanted}, but ${got}`, token)
  }
}
