/** Ways in which bytes go wrong: bits flip, stretches are lost, doubled, replaced, and what came is cut off. */
import fc from 'fast-check'

export type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'delete' | 'double'; readonly at: number; readonly length: number }
  | { readonly kind: 'cut'; readonly at: number }

const at = fc.nat(1_000_000)
const length = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 2_000 }))
/** Numbers of several bytes with their ends missing, and the largest and smallest there are. */
const EVIL_BYTES = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0x01],
  [0x00],
].map((bytes) => Uint8Array.from(bytes))

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constant('set' as const),
    at,
    byte: fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xfe, 0xff),
  }),
  fc.record({
    kind: fc.constant('insert' as const),
    at,
    bytes: fc.oneof(fc.constantFrom(...EVIL_BYTES), fc.uint8Array({ minLength: 1, maxLength: 12 })),
  }),
  fc.record({ kind: fc.constantFrom('delete' as const, 'double' as const), at, length }),
  fc.record({ kind: fc.constant('cut' as const), at }),
)

export const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 })

export function mutated(bytes: Buffer, all: readonly Mutation[]): Buffer {
  let result = bytes
  for (const one of all) result = apply(result, one)
  return result
}

function apply(bytes: Buffer, mutation: Mutation): Buffer {
  const at = mutation.at % (bytes.length + 1)
  const before = bytes.subarray(0, at)
  switch (mutation.kind) {
    case 'flip':
    case 'set': {
      if (at === bytes.length) return bytes
      const copy = Buffer.from(bytes)
      copy[at] = mutation.kind === 'set' ? mutation.byte : copy[at]! ^ (1 << mutation.bit)
      return copy
    }
    case 'insert':
      return Buffer.concat([before, mutation.bytes, bytes.subarray(at)])
    case 'delete':
      return Buffer.concat([before, bytes.subarray(at + mutation.length)])
    case 'double':
      return Buffer.concat([before, bytes.subarray(at, at + mutation.length), bytes.subarray(at)])
    case 'cut':
      return before
  }
}
