/**
 * Pairs of Avro schemas, a writer's and a reader's, that resolve by the specification, with values as avsc takes them under
 * `wrapUnions: 'always'`. Every rule that avsc and the specification agree on is taken at random, at every depth.
 */
import type { SeededRandom } from '../support/seeded-random.ts'

export interface SchemaPair {
  readonly writer: unknown
  readonly reader: unknown
  /** A value of the writer's. */
  value(): unknown
}

interface Typed extends SchemaPair {
  /** What unions that hold the types call them. */
  readonly writerBranch: string
  readonly readerBranch: string
}

type Kind = (typeof LEAVES)[number] | 'array' | 'map' | 'record' | 'union'
const LEAVES = ['plain', 'promoted', 'enum', 'fixed'] as const
const DEPTH_MAX = 4

export class PairMaker {
  readonly #random: SeededRandom
  #names = 0
  /** Records that are being made, which their fields may mention. */
  readonly #around: { readonly writer: string; readonly reader: string; readonly value: () => unknown }[] = []
  #valueDepth = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** Records. */
  pair(): SchemaPair {
    return this.#record(1)
  }

  #typed(depth: number, noUnion = false): Typed {
    const kinds: Kind[] = [...LEAVES, 'plain', 'promoted']
    if (depth < DEPTH_MAX) kinds.push('array', 'map', 'record')
    if (depth < DEPTH_MAX && !noUnion) kinds.push('union', 'union')
    switch (this.#random.pick(kinds)) {
      case 'plain':
        return this.#plain(this.#random.pick(PRIMITIVES))
      case 'promoted': {
        const [writer, reader] = this.#random.pick(PROMOTIONS)
        return { ...this.#plain(writer), reader, readerBranch: reader }
      }
      case 'enum':
        return this.#enum()
      case 'fixed':
        return this.#fixed()
      case 'array':
        return this.#array(depth)
      case 'map':
        return this.#map(depth)
      case 'record':
        return this.#record(depth)
      case 'union':
        return this.#union(depth)
    }
  }

  #plain(primitive: Primitive): Typed {
    return {
      writer: primitive,
      reader: this.#random.next() < 0.2 ? { type: primitive } : primitive,
      value: () => this.#primitive(primitive),
      writerBranch: primitive,
      readerBranch: primitive,
    }
  }

  #enum(): Typed {
    const symbols = Array.from({ length: this.#random.whole(1, 5) }, (_, index) => `S${index}`)
    const { writer, reader, readerName } = this.#naming('Enum')
    const known = this.#shuffled(symbols)
    const lost = this.#random.next() < 0.5 ? known.splice(0, this.#random.whole(0, known.length)) : []
    const readerSymbols = this.#shuffled([...known, 'OTHER'])
    const instead = lost.length > 0 || this.#random.next() < 0.3 ? { default: 'OTHER' } : {}
    return {
      writer: { type: 'enum', ...writer, symbols },
      reader: { type: 'enum', ...reader, symbols: readerSymbols, ...instead },
      value: () => this.#random.pick(symbols),
      writerBranch: String(writer.name),
      readerBranch: readerName,
    }
  }

  #fixed(): Typed {
    const size = this.#random.whole(0, 6)
    const { writer, reader, readerName } = this.#naming('Fixed')
    return {
      writer: { type: 'fixed', ...writer, size },
      reader: { type: 'fixed', ...reader, size },
      value: () => this.#bytes(size),
      writerBranch: String(writer.name),
      readerBranch: readerName,
    }
  }

  #array(depth: number): Typed {
    const items = this.#typed(depth + 1)
    return {
      writer: { type: 'array', items: items.writer },
      reader: { type: 'array', items: items.reader },
      value: () => Array.from({ length: this.#count() }, () => items.value()),
      writerBranch: 'array',
      readerBranch: 'array',
    }
  }

  #map(depth: number): Typed {
    const values = this.#typed(depth + 1)
    return {
      writer: { type: 'map', values: values.writer },
      reader: { type: 'map', values: values.reader },
      value: () =>
        Object.fromEntries(Array.from({ length: this.#count() }, (_, key) => [`k${key}`, values.value()])),
      writerBranch: 'map',
      readerBranch: 'map',
    }
  }

  #record(depth: number): Typed {
    const { writer, reader, readerName } = this.#naming('Record')
    const parts = new Map<string, () => unknown>()
    const value = () =>
      Object.fromEntries([...parts].map(([name, part]) => [name, this.#deeper(part)] as const))
    this.#around.push({ writer: String(writer.name), reader: readerName, value })
    const written: object[] = []
    const read: object[] = []
    const count = this.#random.whole(0, 4)
    for (let index = 0; index < count; index++) {
      const name = `f${index}`
      const field = this.#random.next() < 0.15 ? this.#again() : this.#typed(depth + 1)
      parts.set(name, field.value)
      written.push({ name, type: field.writer })
      const fate = this.#random.next()
      if (fate < 0.2) continue // the reader does not want it
      const asIs = { name, type: field.reader }
      read.push(
        fate < 0.35 ? { name: `${name}_renamed`, aliases: ['unused', name], type: field.reader } : asIs,
      )
    }
    const added = this.#random.whole(read.length === 0 ? 1 : 0, 2)
    for (let index = 0; index < added; index++) read.push(this.#added(`added${index}`, depth))
    this.#around.pop()
    return {
      writer: { type: 'record', ...writer, fields: written },
      reader: { type: 'record', ...reader, fields: this.#shuffled(read) },
      value,
      writerBranch: String(writer.name),
      readerBranch: readerName,
    }
  }

  /** A mention of a record around, which has to be able to end. */
  #again(): SchemaPair {
    const { writer, reader, value } = this.#random.pick(this.#around)
    return {
      writer: ['null', writer],
      reader: this.#random.next() < 0.5 ? ['null', reader] : [reader, 'null'],
      value: () => (this.#valueDepth > 6 || this.#random.next() < 0.5 ? null : { [writer]: value() }),
    }
  }

  /** A field that was not written. */
  #added(name: string, depth: number): object {
    const { type, json } = this.#defaulted(depth)
    return { name, type, default: json }
  }

  #defaulted(depth: number): { type: unknown; json: unknown; branch: string } {
    const kinds = ['int', 'long', 'double', 'boolean', 'null', 'string', 'bytes', 'enum', 'fixed'] as const
    const nested = ['array', 'map', 'record', 'union'] as const
    const kind = this.#random.pick(depth < DEPTH_MAX ? [...kinds, ...nested, ...nested] : [...kinds])
    switch (kind) {
      case 'int':
        return { type: kind, json: this.#random.whole(-5, 5_000), branch: kind }
      case 'long':
        return { type: kind, json: this.#random.whole(-(2 ** 40), 2 ** 40), branch: kind }
      case 'double':
        return { type: kind, json: this.#random.whole(-1_000, 1_000) / 8, branch: kind }
      case 'boolean':
        return { type: kind, json: this.#random.next() < 0.5, branch: kind }
      case 'null':
        return { type: kind, json: null, branch: kind }
      case 'string':
        return { type: kind, json: this.#text(), branch: kind }
      case 'bytes':
        return { type: kind, json: this.#bytes(3).toString('latin1'), branch: kind }
      case 'enum': {
        const name = this.#name('DefaultEnum')
        return { type: { type: 'enum', name, symbols: ['A', 'B'] }, json: 'B', branch: name }
      }
      case 'fixed': {
        const name = this.#name('DefaultFixed')
        return {
          type: { type: 'fixed', name, size: 2 },
          json: this.#bytes(2).toString('latin1'),
          branch: name,
        }
      }
      case 'array': {
        const item = this.#defaulted(depth + 1)
        return {
          type: { type: 'array', items: item.type },
          json: this.#random.pick([[], [item.json, item.json]]),
          branch: kind,
        }
      }
      case 'map': {
        const item = this.#defaulted(depth + 1)
        return {
          type: { type: 'map', values: item.type },
          json: this.#random.pick([{}, { k: item.json }]),
          branch: kind,
        }
      }
      case 'record': {
        const name = this.#name('DefaultRecord')
        const a = this.#defaulted(depth + 1)
        const b = this.#defaulted(depth + 1)
        const fields = [
          { name: 'a', type: a.type },
          { name: 'b', type: b.type, default: b.json },
        ]
        // Of unions and bytes that a default leaves out, avsc takes the default of the field for none of its values.
        const mayBeLeftOut = typeof b.type === 'string' && b.type !== 'bytes'
        const json = mayBeLeftOut ? { a: a.json } : { a: a.json, b: b.json }
        return { type: { type: 'record', name, fields }, json, branch: name }
      }
      case 'union': {
        let first = this.#defaulted(depth + 1)
        while (Array.isArray(first.type)) first = this.#defaulted(depth + 1)
        const others = ['null', 'boolean', 'string'].filter((name) => name !== first.branch)
        return { type: [first.type, this.#random.pick(others)], json: first.json, branch: 'union' }
      }
    }
  }

  #union(depth: number): Typed {
    const one = this.#typed(depth + 1, true)
    const optional = one.writerBranch !== 'null'
    const some = () => ({ [one.writerBranch]: one.value() })
    const union = { writerBranch: 'union', readerBranch: 'union' }
    const wrapped = () => (one.writerBranch === 'null' ? null : some())
    switch (this.#random.whole(0, 3)) {
      case 0: // a union of one, read as what is in it
        return { ...union, writer: [one.writer], reader: one.reader, value: wrapped }
      case 1: {
        // what is no union, read as a member of one
        const reader = one.readerBranch === 'null' ? ['null'] : this.#shuffled(['null', one.reader])
        return { ...union, writer: one.writer, reader, value: one.value }
      }
      case 2: {
        // numbers, read as the widest
        const value = () => {
          const primitive = this.#random.pick(['int', 'long', 'float'] as const)
          return { [primitive]: this.#primitive(primitive) }
        }
        return { ...union, writer: this.#shuffled(['int', 'long', 'float']), reader: 'double', value }
      }
      default: {
        if (!optional) return { ...union, writer: ['null'], reader: ['null', 'string'], value: () => null }
        const writer = this.#shuffled(['null', one.writer])
        const readerTypes = one.readerBranch === 'null' ? ['null'] : this.#shuffled(['null', one.reader])
        return {
          ...union,
          writer,
          reader: readerTypes,
          value: () => (this.#random.next() < 0.4 ? null : some()),
        }
      }
    }
  }

  /** A name, the same in another namespace, or an alias. */
  #naming(prefix: string) {
    const name = this.#name(prefix)
    const named = (short: string) => ({ name: `w.${short}` })
    const fate = this.#random.next()
    const writer = named(name)
    if (fate < 0.5) return { writer, reader: named(name), readerName: `w.${name}` }
    if (fate < 0.75) return { writer, reader: { name: `r.${name}` }, readerName: `r.${name}` }
    const reader = {
      name: `w.${name}New`,
      aliases: this.#random.pick([[name], [`w.${name}`], ['x.Unused', name]]),
    }
    return { writer, reader, readerName: `w.${name}New` }
  }

  #name(prefix: string): string {
    return `${prefix}${++this.#names}`
  }

  #deeper<T>(work: () => T): T {
    this.#valueDepth++
    const value = work()
    this.#valueDepth--
    return value
  }

  #count(): number {
    return this.#valueDepth > 5 ? 0 : this.#random.whole(0, 3)
  }

  #primitive(primitive: Primitive): unknown {
    switch (primitive) {
      case 'null':
        return null
      case 'boolean':
        return this.#random.next() < 0.5
      case 'int':
        return this.#random.pick([0, -1, 2 ** 31 - 1, -(2 ** 31), this.#random.whole(-1_000, 1_000)])
      case 'long':
        // avsc refuses what is closer to the limits of a double.
        return this.#random.pick([0, -1, 2 ** 51, -(2 ** 51), this.#random.whole(-(2 ** 40), 2 ** 40)])
      case 'float':
        return this.#random.pick([0, Math.fround(0.1), -0.5, Infinity])
      case 'double':
        return this.#random.pick([0, 0.1, -1e300, this.#random.next(), -Infinity])
      case 'bytes':
        return this.#bytes(this.#random.whole(0, 5))
      case 'string':
        return this.#text()
    }
  }

  #text(): string {
    return this.#random.pick(['', 'a', 'naïve café', '日本', '"\\\u0001', 'x'.repeat(70)])
  }

  #bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.#random.whole(0, 255)))
  }

  #shuffled<T>(values: readonly T[]): T[] {
    const shuffled = [...values]
    for (let index = shuffled.length - 1; index > 0; index--) {
      const other = this.#random.whole(0, index)
      ;[shuffled[index], shuffled[other]] = [shuffled[other]!, shuffled[index]!]
    }
    return shuffled
  }
}

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const
type Primitive = (typeof PRIMITIVES)[number]

const PROMOTIONS: readonly (readonly [Primitive, Primitive])[] = [
  ['int', 'long'],
  ['int', 'float'],
  ['int', 'double'],
  ['long', 'float'],
  ['long', 'double'],
  ['float', 'double'],
  ['string', 'bytes'],
  ['bytes', 'string'],
]
