/**
 * Reads one binary Avro datum per body. The writer's schema is the text of the event's `schema` header, which uploads
 * of Avro files set. An event without the header was written in the schema of the format.
 *
 * The cache of resolutions uses the text of the schema as its key, not the `schema.hash` header, which clients may
 * leave out. It holds as many texts as a stream is likely to mix.
 *
 * A field that cannot be read is null, and the other fields are read: for a type that does not resolve, a symbol that
 * the reader's enum does not have, a decimal too long for its type. Bytes that are not a datum make the whole event
 * bad.
 *
 * The bytes of a datum bound its cost. Lengths and counts are compared with the rest of the body, and values that take
 * no bytes, such as a million nulls, are counted. A datum has to end where the body ends; otherwise it was written in
 * another schema.
 *
 * Indexes are asserted with `!`: the reader compares offsets with the end of the body, and indexes with their counts.
 */
import { AvroProblem } from '../schemas/avro-problem.ts'
import { type AvroField, type AvroType, parseSchema, type RecordType } from '../schemas/avro-schema.ts'
import { type RecordStep, resolveDatum, type Step } from './avro-resolution.ts'
import { DatumProblem, ValueProblem } from './datum-problem.ts'
import { exactLong } from './number-text.ts'
import {
  type EventHeaders,
  type FormatError,
  fieldError,
  quoted,
  type RecordReader,
  type Value,
} from './record-reader.ts'
import { utf8 } from './text-bytes.ts'

/** Nesting of data. Each level is one recursive call. */
export const AVRO_DEPTH_MAX = 256
/** The number of values of a datum may exceed its number of bytes by this much. */
export const AVRO_VALUES_BEYOND_BYTES = 65_536
/** The same limit as in uploaded files. */
const SCHEMA_CHARS_MAX = 1024 * 1024
const SCHEMAS_KEPT = 16

const SCHEMA_HEADER = 'schema'

type Resolution = Step | FormatError

export class AvroReader implements RecordReader {
  readonly #fields: readonly AvroField[]
  readonly #own: Resolution
  readonly #resolutions = new Map<string, Resolution>()
  readonly #cursor = new DatumCursor()
  #lastHeaders: EventHeaders | undefined
  #lastResolution: Resolution

  /** `own` is the schema of the format. */
  constructor(own: RecordType, wanted: readonly number[]) {
    this.#fields = wanted.map((index) => own.fields[index]!)
    this.#own = resolveDatum(own, this.#fields)
    this.#lastResolution = this.#own
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    if (headers !== this.#lastHeaders) {
      this.#lastResolution = this.#resolution(headers)
      this.#lastHeaders = headers
    }
    const resolution = this.#lastResolution
    if (!('op' in resolution)) return resolution
    try {
      return this.#cursor.datum(bytes, start, end, resolution, into)
    } catch (problem) {
      if (problem instanceof DatumProblem) return { reason: problem.reason }
      throw problem
    }
  }

  #resolution(headers: EventHeaders): Resolution {
    const text = headers.find(([name]) => name === SCHEMA_HEADER)?.[1]
    if (text === undefined) return this.#own
    let resolution = this.#resolutions.get(text)
    if (resolution === undefined) {
      if (this.#resolutions.size >= SCHEMAS_KEPT) this.#resolutions.clear()
      resolution = this.#resolve(text)
      this.#resolutions.set(text, resolution)
    }
    return resolution
  }

  #resolve(text: string): Resolution {
    if (text.length > SCHEMA_CHARS_MAX) {
      return { reason: `the schema header has ${text.length} characters; use at most ${SCHEMA_CHARS_MAX}` }
    }
    try {
      return resolveDatum(parseSchema(text), this.#fields)
    } catch (problem) {
      if (problem instanceof AvroProblem)
        return { reason: `the schema header is no schema: ${problem.message}` }
      throw problem
    }
  }
}

const NO_BYTES = new Uint8Array(0)
const INT_MAX = 2_147_483_647
const INT_MIN = -2_147_483_648
const LONG_BYTES_MAX = 10

class DatumCursor {
  #bytes: Uint8Array = NO_BYTES
  #view: DataView = new DataView(NO_BYTES.buffer)
  #at = 0
  #end = 0
  #depth = 0
  #valuesLeft = 0
  /** The index of the field of the record itself that is being read, and where its bytes begin. */
  #read = 0
  #readAt = 0

  /** Throws DatumProblem. A field whose value cannot be read is null; the returned error describes the first one. */
  datum(bytes: Uint8Array, start: number, end: number, step: Step, into: Value[]): FormatError | undefined {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    this.#at = start
    this.#end = end
    this.#depth = 0
    this.#valuesLeft = AVRO_VALUES_BEYOND_BYTES + (end - start)
    let chosen = step
    while (chosen.op === 'union') chosen = this.#branch(chosen.branches)
    if (chosen.op === 'fail') throw new DatumProblem(chosen.reason)
    const wrong = this.#root(chosen as RecordStep, into)
    if (this.#at !== end) {
      throw new DatumProblem(`the datum ends ${end - this.#at} bytes before the body does`)
    }
    return wrong
  }

  #root(record: RecordStep, into: Value[]): FormatError | undefined {
    let wrong: FormatError | undefined
    for (let from = 0; from < record.reads.length; ) {
      try {
        this.#fields(record, from, into)
        break
      } catch (problem) {
        if (!(problem instanceof ValueProblem)) throw problem
        wrong ??= fieldError(problem.reason)
        const { field, skip } = record.reads[this.#read]!
        into[field] = null
        this.#at = this.#readAt
        this.#depth = 1
        this.#skip(skip)
        from = this.#read + 1
      }
    }
    const { absent, missing } = record
    for (let index = 0; index < absent.length; index++) into[absent[index]!.field] = absent[index]!.value
    for (let index = 0; index < missing.length; index++) {
      into[missing[index]!.field] = null
      wrong ??= fieldError(missing[index]!.reason)
    }
    return wrong
  }

  /**
   * Reads the fields of the record itself, from index `from` on. It stores where each field begins, because a field
   * that cannot be read is skipped from there.
   */
  #fields(record: RecordStep, from: number, into: Value[]): void {
    this.#depth = 1
    const reads = record.reads
    for (let index = from; index < reads.length; index++) {
      const read = reads[index]!
      if (read.step === undefined) {
        this.#skip(read.skip)
      } else {
        this.#read = index
        this.#readAt = this.#at
        into[read.field] = this.#value(read.step)
      }
    }
  }

  #record(record: RecordStep): Value {
    if (record.missing.length > 0) throw new ValueProblem(record.missing[0]!.reason)
    this.#enter()
    this.#valuesLeft -= record.absentWeight
    const names = record.names
    const values: Value[] = new Array(names.length).fill(null)
    for (const { field, step, skip } of record.reads) {
      if (step === undefined) this.#skip(skip)
      else values[field] = this.#value(step)
    }
    for (const { field, value } of record.absent) values[field] = value
    this.#depth--
    const map = new Map<string, Value>()
    for (let index = 0; index < names.length; index++) map.set(names[index]!, values[index]!)
    return map
  }

  #value(step: Step): Value {
    if (--this.#valuesLeft < 0) throw new DatumProblem('the datum makes more values than it has bytes')
    switch (step.op) {
      case 'string': {
        const length = this.#length()
        this.#at += length
        return utf8(this.#bytes, this.#at - length, this.#at)
      }
      case 'int':
        return this.#int()
      case 'long':
        return this.#long()
      case 'union':
        this.#valuesLeft++ // the value of the branch is counted instead
        return this.#value(this.#branch(step.branches))
      case 'null':
        return null
      case 'boolean': {
        const byte = this.#take(1)
        if (this.#bytes[byte]! > 1) throw new DatumProblem(`a boolean is byte ${this.#bytes[byte]}`)
        return this.#bytes[byte] === 1
      }
      case 'float':
        return this.#view.getFloat32(this.#take(4), true)
      case 'double':
        return this.#view.getFloat64(this.#take(8), true)
      case 'toFloat':
        return Math.fround(Number(this.#long()))
      case 'toDouble':
        return Number(this.#long())
      case 'bytes': {
        const from = this.#take(this.#length())
        return copyOf(this.#bytes, from, this.#at)
      }
      case 'fixed': {
        const from = this.#take(step.size)
        return copyOf(this.#bytes, from, this.#at)
      }
      case 'enum': {
        const index = this.#index(step.symbols.length, 'symbols of an enum')
        const symbol = step.symbols[index]
        if (symbol === undefined) throw unknownSymbol(step.written[index]!, step.path)
        return symbol
      }
      case 'array': {
        this.#enter()
        const items: Value[] = []
        for (let count = this.#count(); count > 0; count = this.#count()) {
          for (; count > 0; count--) items.push(this.#value(step.items))
        }
        this.#depth--
        return items
      }
      case 'map': {
        this.#enter()
        const map = new Map<string, Value>()
        for (let count = this.#count(); count > 0; count = this.#count()) {
          for (; count > 0; count--) {
            const key = this.#take(this.#length())
            const name = utf8(this.#bytes, key, this.#at)
            map.set(name, this.#value(step.items))
          }
        }
        this.#depth--
        return map
      }
      case 'logical':
        this.#valuesLeft++
        return step.convert(this.#value(step.base))
      case 'record':
        return this.#record(step)
      case 'fail':
        throw new ValueProblem(step.reason)
    }
  }

  #branch(branches: readonly Step[]): Step {
    return branches[this.#index(branches.length, 'branches of a union')]!
  }

  #skip(type: AvroType): void {
    if (type.constantBytes !== undefined) {
      this.#take(type.constantBytes)
      return
    }
    switch (type.kind) {
      case 'primitive':
        if (type.primitive === 'int' || type.primitive === 'long') this.#long()
        else this.#take(this.#length())
        break
      case 'enum':
        this.#index(type.symbols.length, 'symbols of an enum')
        break
      case 'union':
        this.#enter()
        this.#skip(type.branches[this.#index(type.branches.length, 'branches of a union')]!)
        this.#depth--
        break
      case 'record':
        this.#enter()
        for (const field of type.fields) if (field.type.constantBytes !== 0) this.#skip(field.type)
        this.#depth--
        break
      case 'array':
        this.#skipItems(type.items, false)
        break
      case 'map':
        this.#skipItems(type.values, true)
        break
    }
  }

  #skipItems(items: AvroType, keyed: boolean): void {
    this.#enter()
    for (;;) {
      const count = this.#number()
      if (count === 0) break
      if (count < 0) {
        // A negative count means that the size of the block follows; the whole block is skipped.
        this.#take(this.#length())
      } else if (!keyed && items.constantBytes !== undefined) {
        this.#take(count * items.constantBytes)
      } else {
        for (let left = count; left > 0; left--) {
          if (keyed) this.#take(this.#length())
          this.#skip(items)
        }
      }
    }
    this.#depth--
  }

  #enter(): void {
    if (++this.#depth > AVRO_DEPTH_MAX) {
      throw new DatumProblem(`the datum is nested deeper than ${AVRO_DEPTH_MAX} levels`)
    }
  }

  /** Skips this many bytes. Returns where they begin. */
  #take(length: number): number {
    const from = this.#at
    if (length > this.#end - from) {
      throw new DatumProblem(`the datum wants ${length} bytes where the body has ${this.#end - from} left`)
    }
    this.#at = from + length
    return from
  }

  /** Reads the length of a string or bytes. It is at most the number of bytes left. */
  #length(): number {
    const length = this.#number()
    if (length < 0) throw new DatumProblem(`a length is negative: ${length}`)
    if (length > this.#end - this.#at) {
      throw new DatumProblem(`a length is ${length} where the body has ${this.#end - this.#at} bytes left`)
    }
    return length
  }

  /** Reads the count of the next block of items and ignores the size of the block in bytes. Returns 0 after the last block. */
  #count(): number {
    const count = this.#number()
    if (count >= 0) return count
    this.#length()
    return -count
  }

  #index(count: number, of: string): number {
    const index = this.#number()
    if (index < 0 || index >= count) throw new DatumProblem(`${index} is none of the ${count} ${of}`)
    return index
  }

  #int(): number {
    const value = this.#number()
    if (value > INT_MAX || value < INT_MIN) throw new DatumProblem(`${value} is not an int`)
    return value
  }

  /** Exact within ±2^53; larger values are rounded to a double. */
  #number(): number {
    const at = this.#at
    if (at < this.#end && this.#bytes[at]! < 0x80) {
      this.#at = at + 1
      return (this.#bytes[at]! >>> 1) ^ -(this.#bytes[at]! & 1)
    }
    return Number(this.#long())
  }

  #long(): number | bigint {
    const bytes = this.#bytes
    const from = this.#at
    let at = from
    let value = 0
    let scale = 1
    for (;;) {
      if (at >= this.#end) throw new DatumProblem('the body ends inside a number')
      const byte = bytes[at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      if (at - from === LONG_BYTES_MAX) throw new DatumProblem('a number takes more than 10 bytes')
      scale *= 128
    }
    this.#at = at
    if (value > Number.MAX_SAFE_INTEGER) return this.#bigLong(from, at)
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #bigLong(from: number, to: number): number | bigint {
    let value = 0n
    for (let at = to - 1; at >= from; at--) value = (value << 7n) | BigInt(this.#bytes[at]! & 0x7f)
    const exact = exactLong(value & 1n ? -((value + 1n) >> 1n) : value >> 1n)
    if (exact === undefined) throw new DatumProblem('a number takes more than 64 bits')
    return exact
  }
}

function unknownSymbol(symbol: string, path: string): ValueProblem {
  return new ValueProblem(
    `field ${path} has the symbol ${quoted(symbol)}, which its enum does not have, nor a default`,
  )
}

function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end)
}
