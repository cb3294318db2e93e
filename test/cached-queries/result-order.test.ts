/** The order of rows: PostgreSQL's, with texts by code point. */
import { expect, test } from 'vitest'
import { rowOrder, sortValues } from '../../src/cached-queries/result-order.ts'
import type { ResultOrder } from '../../src/jobs/plan/query-plan.ts'

const ASCENDING = { column: 0, descending: false, nullsFirst: false } as const

interface Case {
  readonly name: string
  readonly order: readonly ResultOrder[]
  /** JSON texts of one column, in their order. */
  readonly sorted: readonly string[]
}

const cases: readonly Case[] = [
  {
    name: 'numbers by value',
    order: [{ ...ASCENDING, compare: 'number' }],
    sorted: ['"-Infinity"', '-10', '"-9.5"', '0', '"0.1"', '2', '10', '1e3', '"Infinity"', '"NaN"', 'null'],
  },
  {
    name: 'numbers that are equal as doubles',
    order: [{ ...ASCENDING, compare: 'number' }],
    sorted: ['9007199254740992', '9007199254740993', '"9007199254740993.00000000000000000001"'],
  },
  {
    name: 'NULL first, descending',
    order: [{ ...ASCENDING, descending: true, nullsFirst: true, compare: 'number' }],
    sorted: ['null', '3', '"2.5"', '2'],
  },
  {
    name: 'texts by code point',
    order: [{ ...ASCENDING, compare: 'text' }],
    sorted: [
      '""',
      '" "',
      '"A"',
      '"Z"',
      '"a"',
      '"a b"',
      '"ab"',
      '"a\\u0062c"',
      '"z"',
      '"ä"',
      '"\uffff"',
      '"😀"',
    ],
  },
  {
    name: 'booleans',
    order: [{ ...ASCENDING, compare: 'boolean' }],
    sorted: ['false', 'true', 'null'],
  },
]

test.each(cases)('$name', ({ order, sorted }) => {
  const rows = sorted.map((json, i) => ({ json, key: `{"k":${i}}`, sort: sortValues([json], order) }))
  const mixed = [...rows].reverse()
  expect(mixed.sort(rowOrder(order)).map(({ json }) => json)).toEqual(sorted)
})

test('rows that are equal in the order are sorted by their keys', () => {
  const order: ResultOrder[] = [{ ...ASCENDING, compare: 'number' }]
  const rows = ['c', 'a', 'b'].map((key) => ({ key, sort: sortValues(['1'], order) }))
  expect(rows.sort(rowOrder(order)).map(({ key }) => key)).toEqual(['a', 'b', 'c'])
})

test('the second column decides where the first ones are equal', () => {
  const order: ResultOrder[] = [
    { ...ASCENDING, compare: 'text' },
    { ...ASCENDING, column: 1, descending: true, compare: 'number' },
  ]
  const rows = [
    ['"b"', '1'],
    ['"a"', '1'],
    ['"a"', '2'],
  ].map((values) => ({ values, key: '{}', sort: sortValues(values, order) }))
  expect(rows.sort(rowOrder(order)).map(({ values }) => values.join())).toEqual(['"a",2', '"a",1', '"b",1'])
})
