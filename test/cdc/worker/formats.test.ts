/** The pure parts of the capture process: connection strings, lines of COPY, positions, changes of columns. */
import { describe, expect, test } from 'vitest'
import type { CapturedColumn, CapturedTable } from '../../../src/cdc/captured-table.ts'
import { RowBytes } from '../../../src/cdc/events/row-bytes.ts'
import { lsnOf, printedLsn } from '../../../src/cdc/lsn.ts'
import { problemOf } from '../../../src/cdc/worker/capture-problem.ts'
import { readCopyLine } from '../../../src/cdc/worker/copy-text.ts'
import { databaseAddressOf } from '../../../src/cdc/worker/database-address.ts'
import { schemaChange } from '../../../src/cdc/worker/schema-change.ts'
import { textsOf } from '../../../src/cdc/worker/table-capture.ts'

test('positions are printed as PostgreSQL prints them', () => {
  for (const text of ['0/0', '0/256E898', 'A/FFFFFFFF', 'FFFFFFFF/1'])
    expect(printedLsn(lsnOf(text))).toBe(text)
})

test('a line of COPY', () => {
  const line = Buffer.from('x1\ta b\t\\N\t\t\\\\N\t\\t\\n\\r\\b\\f\\v\té\n')
  const row = new RowBytes()
  readCopyLine(line, 1, line.length - 1, row)
  expect(textsOf(row)).toEqual(['1', 'a b', null, '', '\\N', '\t\n\r\b\f\v', 'é'])
})

test('a connection string', () => {
  expect(
    databaseAddressOf('postgresql://a%40b:p%3Aw@[::1]:6432/my%20shop?sslmode=verify-full&schema=public'),
  ).toEqual({
    host: '::1',
    port: 6432,
    user: 'a@b',
    password: 'p:w',
    database: 'my shop',
    tlsModes: ['verify-full'],
    secrets: ['p%3Aw', 'p:w'],
  })
  for (const text of [
    '',
    'postgres://app@/shop',
    'postgres:///shop',
    'postgres://h/shop',
    'postgres://a:%@h/d',
    'postgres://a@h/d?host=x',
  ]) {
    expect(() => databaseAddressOf(text), text).toThrow(/connection string/)
  }
})

test('a password in an error of the driver is replaced', () => {
  const error = Object.assign(new Error('connect ECONNREFUSED for p:w'), { code: 'ECONNREFUSED' })
  expect(problemOf(error, ['p:w'])).toMatchObject({
    code: 'database_unreachable',
    passing: true,
    message: 'the database did not answer: connect ECONNREFUSED for ***',
  })
})

describe('a message of the stream about the columns', () => {
  const int: CapturedColumn = {
    ...{ name: 'n', databaseType: 'integer', typeOid: 23, kind: 'integer', isArray: false },
    ...{ type: { kind: 'INT' }, nullable: false },
  }
  const table: CapturedTable = { schema: 'public', table: 't', oid: 1, key: ['n'], columns: [int] }
  const bigint: CapturedColumn = {
    ...int,
    databaseType: 'bigint',
    typeOid: 20,
    type: { kind: 'BIGINT' },
    nullable: true,
  }
  const text: CapturedColumn = {
    ...{ name: 'n', databaseType: 'text', typeOid: 25, kind: 'text', isArray: false },
    ...{ type: { kind: 'STRING' }, nullable: true },
  }

  test.each([
    { name: 'the same', sent: [{ ...int, nullable: true }], change: undefined },
    {
      name: 'wider',
      sent: [bigint],
      change: { columns: [{ ...bigint, nullable: false }], gone: [], retyped: [] },
    },
    {
      name: 'another',
      sent: [{ ...int, name: 'm' }],
      change: { columns: [{ ...int, name: 'm', nullable: true }], gone: ['n'], retyped: [] },
    },
    {
      name: 'retyped',
      sent: [text],
      change: {
        columns: [{ ...text, nullable: false }],
        gone: [],
        retyped: [{ name: 'n', from: 'integer', to: 'text' }],
      },
    },
  ])('$name', ({ sent, change }) => {
    expect(schemaChange(table, sent as CapturedColumn[])).toEqual(change)
  })
})
