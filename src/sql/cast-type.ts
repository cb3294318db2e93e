/**
 * A type of Flink in CAST, as the type that the tree of DuckDB's parser keeps. Types with a length or a precision that DuckDB
 * drops have names of their own, which meaning-flink.ts replaces: `__char(n)`, `__varchar(n)`, `__timestamp(p)`,
 * `TIMESTAMP_LTZ(p)`.
 */
import type { StatementCursor } from './statement-cursor.ts'

const SIMPLE: Readonly<Record<string, string>> = {
  BOOLEAN: 'BOOLEAN',
  TINYINT: 'TINYINT',
  SMALLINT: 'SMALLINT',
  INT: 'INTEGER',
  INTEGER: 'INTEGER',
  BIGINT: 'BIGINT',
  FLOAT: 'FLOAT',
  STRING: 'VARCHAR',
  BYTES: 'BLOB',
  DATE: 'DATE',
}
const DEPTH_MAX = 100

/** Reads a type; `nameOf` gives the name of a field of a row for DuckDB. */
export function readCastType(cursor: StatementCursor, nameOf: (name: string) => string, depth = 0): string {
  const token = cursor.next('a type')
  const name = token.kind === 'word' ? token.text.toUpperCase() : ''
  let type = depth < DEPTH_MAX ? readNamed(cursor, name, nameOf, depth) : undefined
  if (type === undefined) throw cursor.problem(`unknown type '${token.text}'`, token)
  for (;;) {
    if (cursor.skipWord('ARRAY')) type = `${type}[]`
    else if (cursor.isWords('NOT', 'NULL')) cursor.at += 2
    else if (cursor.isWord('NULL') && !cursor.isWord('ON', 1)) cursor.at++
    else return type
  }
}

function readNamed(
  cursor: StatementCursor,
  name: string,
  nameOf: (name: string) => string,
  depth: number,
): string | undefined {
  switch (name) {
    case 'DOUBLE':
      cursor.skipWord('PRECISION')
      return 'DOUBLE'
    case 'DECIMAL':
    case 'DEC':
    case 'NUMERIC': {
      const [precision = 10, scale = 0] = readNumbers(cursor)
      return `DECIMAL(${precision},${scale})`
    }
    case 'CHAR':
    case 'VARCHAR':
      return cursor.is('(')
        ? `__${name.toLowerCase()}(${readNumbers(cursor)[0]})`
        : `__${name.toLowerCase()}(1)`
    case 'BINARY':
    case 'VARBINARY':
      readNumbers(cursor)
      return 'BLOB'
    case 'TIME':
      readNumbers(cursor)
      return 'TIME'
    case 'TIMESTAMP_LTZ':
      return `TIMESTAMP_LTZ(${readNumbers(cursor)[0] ?? 6})`
    case 'TIMESTAMP': {
      const [precision = 6] = readNumbers(cursor)
      if (cursor.isWords('WITH', 'LOCAL', 'TIME', 'ZONE')) {
        cursor.at += 4
        return `TIMESTAMP_LTZ(${precision})`
      }
      if (cursor.isWords('WITHOUT', 'TIME', 'ZONE')) cursor.at += 3
      return `__timestamp(${precision})`
    }
    case 'ARRAY': {
      cursor.operator('<')
      const element = readCastType(cursor, nameOf, depth + 1)
      cursor.operator('>')
      return `${element}[]`
    }
    case 'MAP': {
      cursor.operator('<')
      const key = readCastType(cursor, nameOf, depth + 1)
      cursor.operator(',')
      const value = readCastType(cursor, nameOf, depth + 1)
      cursor.operator('>')
      return `MAP(${key}, ${value})`
    }
    case 'ROW':
      return readRow(cursor, nameOf, depth)
    default:
      return SIMPLE[name]
  }
}

function readRow(cursor: StatementCursor, nameOf: (name: string) => string, depth: number): string {
  const close = cursor.skip('(') ? ')' : '>'
  if (close === '>') cursor.operator('<')
  const fields: string[] = []
  do {
    const field = cursor.next('the name of a field')
    if (field.kind !== 'word' && field.kind !== 'quoted-name')
      throw cursor.problem('expected the name of a field', field)
    fields.push(`${nameOf(field.value)} ${readCastType(cursor, nameOf, depth + 1)}`)
  } while (cursor.skip(','))
  cursor.operator(close)
  return `STRUCT(${fields.join(', ')})`
}

function readNumbers(cursor: StatementCursor): number[] {
  if (!cursor.skip('(')) return []
  const numbers: number[] = []
  do {
    const token = cursor.next('a number')
    if (!/^\d{1,10}$/.test(token.text)) throw cursor.problem(`expected a number, got '${token.text}'`, token)
    numbers.push(Number(token.text))
  } while (cursor.skip(','))
  cursor.operator(')')
  return numbers
}
