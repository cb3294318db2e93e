import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memberOf, mergePatch } from '../../src/deployments/merge-patch.ts'
import type { Json } from '../../src/deployments/resources.ts'

describe('the vectors of RFC 7386', () => {
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('%s with %s is %s', (target, patch, result) => {
    expect(JSON.stringify(mergePatch(JSON.parse(target), JSON.parse(patch)))).toBe(result)
  })
})

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', '')
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    ...[fc.constant(null), fc.integer(), fc.boolean(), fc.string({ maxLength: 3 })],
    fc.array(tie('json'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('json')), { maxLength: 4 }).map((members) => Object.fromEntries(members)),
  ) as fc.Arbitrary<Json>,
}))

/** The algorithm of the RFC, on texts: members of any name are members. */
function byTheRfc(target: Json, patch: Json): Json {
  const isObject = (value: Json) => typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject(patch)) return patch
  const result = new Map<string, Json>(isObject(target) ? Object.entries(target as object) : [])
  for (const [key, value] of Object.entries(patch as object) as [string, Json][]) {
    if (value === null) result.delete(key)
    else result.set(key, byTheRfc(result.get(key) ?? null, value))
  }
  return Object.fromEntries(result)
}

test('as the algorithm of the RFC', () => {
  fc.assert(
    fc.property(json, json, (target, patch) => {
      expect(mergePatch(target, patch)).toEqual(byTheRfc(target, patch))
    }),
  )
})

test('a patch of an object leaves no null of its own, and the same patch again changes nothing', () => {
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const once = mergePatch(target, patch)
      expect(mergePatch(once, patch)).toEqual(once)
      if (patch !== null && typeof patch === 'object' && !Array.isArray(patch))
        for (const [key, value] of Object.entries(patch))
          expect(Object.hasOwn(once as object, key)).toBe(value !== null)
    }),
  )
})

test('__proto__ is a member like any other', () => {
  const patch = JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":1}}')
  const result = mergePatch({}, patch)
  expect(JSON.stringify(result)).toBe('{"__proto__":{"polluted":true},"a":{"__proto__":1}}')
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  expect(memberOf(result, '__proto__', 'polluted')).toBe(true)
  expect(memberOf({}, '__proto__')).toBeUndefined()
})

test('neither target nor patch is changed', () => {
  const target = Object.freeze({ a: Object.freeze({ b: 1 }) })
  const patch = Object.freeze({ a: Object.freeze({ c: 2 }) })
  expect(mergePatch(target, patch)).toEqual({ a: { b: 1, c: 2 } })
})
