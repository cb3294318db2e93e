/**
 * Finds the end of a datum by following the writer schema along its bytes. It decodes nothing and allocates nothing.
 *
 * The schema is compiled once to a flat program of 32-bit words. One loop runs the program with a stack of its own, so
 * that deeply nested data cannot overflow JavaScript's stack. Neighbouring fields of the same kind become one step.
 * Compared with nested closures this was 1.5 times as fast on records, and a little slower on arrays of tiny items.
 *
 * The bytes of the datum bound the work for every schema and all data. Types without bytes become no step, and records
 * that only wrap one type have no step of their own. So every call contains at least two steps that take a byte, or one
 * step that takes a byte for an index or a count.
 *
 *   END                    end of the datum, or of a called record: returns to the caller
 *   BYTES n                n bytes: boolean, float, double, fixed, and sequences of them
 *   LONGS n, INTS n        n variable-length numbers
 *   STRING                 a length and that many bytes: bytes, string, the key of a map
 *   ENUM n                 a number below n
 *   UNION n a1 … an        a number below n; go to a1 … an
 *   GOTO a
 *   CALL a                 a record that is referred to by name, or the type that such a record wraps
 *   ITEMS a                a block of an array or map: its count, then its items; go to a if it was the last block
 *   NEXT a                 the next item of the ITEMS at a, or its next block
 *   ITEMS_OF_BYTES n       all blocks of an array whose items take n bytes each; n may be 0
 *
 * Indexes are asserted with `!`: the compiler keeps step addresses inside the program, and the loop compares offsets
 * with the end of the datum.
 */

import { AvroProblem } from '../schemas/avro-problem.ts'
import {
  type AvroType,
  type PrimitiveName,
  type RecordType,
  withoutWrapping,
} from '../schemas/avro-schema.ts'
import { LONG_BYTES_MAX, LongReader } from './avro-long.ts'

/**
 * Returns where the datum that starts at `start` ends. Throws AvroProblem if it does not end by `end`. Not re-entrant:
 * one skipper belongs to one decoder.
 */
export type DatumSkipper = (bytes: Uint8Array, start: number, end: number) => number

/** Nesting of records and arrays within one datum. Readers that recurse have a lower limit. */
export const DATUM_DEPTH_MAX = 10_000

export function compileSkip(schema: AvroType): DatumSkipper {
  return runner(new Compiler().compile(schema))
}

const END = 0
const BYTES = 1
const LONGS = 2
const INTS = 3
const STRING = 4
const ENUM = 5
const UNION = 6
const GOTO = 7
const CALL = 8
const ITEMS = 9
const NEXT = 10
const ITEMS_OF_BYTES = 11

const INT_BYTES_MAX = 5
const STACK_WORDS_MIN = 64
const WORD_MAX = 2 ** 31 - 1

class Compiler {
  readonly #code: number[] = []
  /** The address of the last jump target. The step that ends there must not be extended. */
  #sealed = 0
  #lastStep = -1
  readonly #starts = new Map<AvroType, number>()
  readonly #calls: { at: number; type: AvroType }[] = []

  compile(schema: AvroType): Int32Array {
    this.#type(schema)
    this.#step(END)
    // Compiling a body may add calls to the list during this loop.
    for (const { type } of this.#calls) {
      if (this.#starts.has(type)) continue
      this.#starts.set(type, this.#label())
      this.#inline(type)
      this.#step(END)
    }
    for (const { at, type } of this.#calls) this.#code[at] = this.#starts.get(type)!
    return Int32Array.from(this.#code)
  }

  #type(schema: AvroType): void {
    const type = withoutWrapping(schema)
    if (type.constantBytes !== undefined) {
      if (type.constantBytes > 0) this.#repeatable(BYTES, type.constantBytes)
    } else if (holdsOthers(type) && mayHoldItself(schema)) {
      this.#calls.push({ at: this.#step(CALL, 0) + 1, type })
    } else {
      this.#inline(type)
    }
  }

  #inline(type: AvroType): void {
    switch (type.kind) {
      case 'primitive':
        this.#primitive(type.primitive)
        break
      case 'record':
        this.#fields(type)
        break
      case 'enum':
        this.#step(ENUM, type.symbols.length)
        break
      case 'fixed':
        break // Its size is constant.
      case 'array':
        this.#array(type.items)
        break
      case 'map':
        this.#items(() => {
          this.#step(STRING)
          this.#type(type.values)
        })
        break
      case 'union':
        this.#union(type.branches)
        break
    }
  }

  #fields(record: RecordType): void {
    for (const field of record.fields) this.#type(field.type)
  }

  #primitive(primitive: PrimitiveName): void {
    if (primitive === 'int') this.#repeatable(INTS, 1)
    else if (primitive === 'long') this.#repeatable(LONGS, 1)
    else this.#step(STRING)
  }

  #array(items: AvroType): void {
    if (items.constantBytes !== undefined) this.#step(ITEMS_OF_BYTES, Math.min(items.constantBytes, WORD_MAX))
    else this.#items(() => this.#type(items))
  }

  #items(item: () => void): void {
    this.#label()
    const items = this.#step(ITEMS, 0)
    this.#label()
    item()
    this.#step(NEXT, items)
    this.#code[items + 1] = this.#label()
  }

  #union(branches: readonly AvroType[]): void {
    const union = this.#step(UNION, branches.length, ...branches.map(() => 0))
    const gotos: number[] = []
    branches.forEach((branch, index) => {
      // A branch without bytes continues after the union.
      if (branch.constantBytes === 0) return
      this.#code[union + 2 + index] = this.#label()
      this.#type(branch)
      gotos.push(this.#step(GOTO, 0))
    })
    const after = this.#label()
    for (const at of gotos) this.#code[at + 1] = after
    branches.forEach((branch, index) => {
      if (branch.constantBytes === 0) this.#code[union + 2 + index] = after
    })
  }

  #label(): number {
    this.#sealed = this.#code.length
    return this.#sealed
  }

  #step(...words: number[]): number {
    this.#lastStep = this.#code.length
    for (const word of words) this.#code.push(word)
    return this.#lastStep
  }

  /** Joins the step with the one before, if that is of the same kind and there is no jump target between them. */
  #repeatable(kind: number, times: number): void {
    const before = this.#lastStep
    if (before >= this.#sealed && this.#code[before] === kind) {
      // A size that exceeds a word exceeds every block too, so it remains an error after Math.min.
      this.#code[before + 1] = Math.min(this.#code[before + 1]! + times, WORD_MAX)
    } else {
      this.#step(kind, Math.min(times, WORD_MAX))
    }
  }
}

function holdsOthers({ kind }: AvroType): boolean {
  return kind === 'record' || kind === 'array' || kind === 'map' || kind === 'union'
}

/** A type can contain itself only if it refers to a record by name, which may be a record that wraps another type. */
function mayHoldItself(type: AvroType): boolean {
  if (type.kind !== 'record') return false
  return type.mentioned || (type.sameBytesAs !== undefined && mayHoldItself(type.sameBytesAs))
}

function runner(code: Int32Array): DatumSkipper {
  // The return addresses of calls, and the numbers of items left in the enclosing arrays and maps.
  let stack = new Int32Array(STACK_WORDS_MIN)
  const longs = new LongReader()

  /** Sets `longs.next` to the end of the long. */
  function long(bytes: Uint8Array, start: number, end: number): number {
    const value = longs.read(bytes, start, end)
    if (value === undefined) throw pastEnd()
    return value
  }

  /**
   * The count of the next block of items of `itemBytes` or more; 0 after the last block. Sets `longs.next` to the end
   * of the count.
   */
  function itemCount(bytes: Uint8Array, start: number, end: number, itemBytes: number): number {
    let at = start
    for (;;) {
      const count = long(bytes, at, end)
      if (count >= 0) {
        if (count * itemBytes > end - longs.next) {
          throw new AvroProblem(`an array or map claims ${count} items, more than the block has bytes for`)
        }
        return count
      }
      // A negative count means that the size of the block follows; the whole block is skipped.
      const size = long(bytes, longs.next, end)
      if (size < 0) throw new AvroProblem(`the size of an array or map is negative: ${size}`)
      at = longs.next + size
      if (at > end) throw pastEnd()
    }
  }

  function grown(depth: number): Int32Array<ArrayBuffer> {
    if (depth >= DATUM_DEPTH_MAX) throw new AvroProblem(`it is nested deeper than ${DATUM_DEPTH_MAX} levels`)
    const larger = new Int32Array(Math.min(stack.length * 2, DATUM_DEPTH_MAX))
    larger.set(stack)
    return larger
  }

  return (bytes, start, end) => {
    let at = start
    let step = 0
    let depth = 0
    for (;;) {
      // The cases are numbers: with named constants this would be a chain of comparisons, half as fast on arrays and
      // unions.
      switch (code[step]) {
        case 0 /* END */:
          if (depth === 0) return at
          depth -= 1
          step = stack[depth]!
          break

        case 1 /* BYTES */:
          at += code[step + 1]!
          if (at > end) throw pastEnd()
          step += 2
          break

        case 2 /* LONGS */:
        case 3 /* INTS */:
          {
            const longest = code[step] === INTS ? INT_BYTES_MAX : LONG_BYTES_MAX
            for (let times = code[step + 1]!; times > 0; times--) {
              const limit = at + longest
              for (;;) {
                if (at >= end) throw pastEnd()
                if (bytes[at++]! < 0x80) break
                if (at >= limit) throw new AvroProblem(`a number takes more than ${longest} bytes`)
              }
            }
            step += 2
            break
          }

        case 4 /* STRING */:
          {
            if (at >= end) throw pastEnd()
            const first = bytes[at]!
            let length: number
            if (first < 0x80) {
              length = first & 1 ? -((first + 1) >>> 1) : first >>> 1
              at += 1
            } else {
              length = long(bytes, at, end)
              at = longs.next
            }
            if (length < 0) throw new AvroProblem(`the length of a string or bytes is negative: ${length}`)
            if (length > end - at) {
              throw new AvroProblem(
                `a string or bytes claims ${length} bytes, and the block has ${end - at} left`,
              )
            }
            at += length
            step += 1
            break
          }

        case 5 /* ENUM */:
          {
            const index = long(bytes, at, end)
            at = longs.next
            if (index < 0 || index >= code[step + 1]!) {
              throw new AvroProblem(`the enum index ${index} is not one of its ${code[step + 1]} symbols`)
            }
            step += 2
            break
          }

        case 6 /* UNION */:
          {
            if (at >= end) throw pastEnd()
            const first = bytes[at]!
            let branch: number
            if (first < 0x80 && (first & 1) === 0) {
              branch = first >>> 1
              at += 1
            } else {
              branch = long(bytes, at, end)
              at = longs.next
            }
            if (branch < 0 || branch >= code[step + 1]!) {
              throw new AvroProblem(`the union index ${branch} is not one of its ${code[step + 1]} branches`)
            }
            step = code[step + 2 + branch]!
            break
          }

        case 7 /* GOTO */:
          step = code[step + 1]!
          break

        case 8 /* CALL */:
          if (depth === stack.length) stack = grown(depth)
          stack[depth] = step + 2
          depth += 1
          step = code[step + 1]!
          break

        case 9 /* ITEMS */:
          {
            if (at < end && bytes[at] === 0) {
              at += 1
              step = code[step + 1]!
              break
            }
            const count = itemCount(bytes, at, end, 1)
            at = longs.next
            if (count === 0) {
              step = code[step + 1]!
              break
            }
            if (depth === stack.length) stack = grown(depth)
            stack[depth] = count
            depth += 1
            step += 2
            break
          }

        case 10 /* NEXT */:
          stack[depth - 1]! -= 1
          if (stack[depth - 1]! > 0) {
            step = code[step + 1]! + 2
          } else {
            depth -= 1
            step = code[step + 1]!
          }
          break

        case 11 /* ITEMS_OF_BYTES */:
          {
            let count: number
            do {
              count = itemCount(bytes, at, end, code[step + 1]!)
              at = longs.next + count * code[step + 1]!
            } while (count > 0)
            step += 2
            break
          }
      }
    }
  }
}

function pastEnd(): AvroProblem {
  return new AvroProblem('it runs past the end of the block')
}
