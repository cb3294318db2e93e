/** The bodies of the four calls, in both forms, as requests of the query service. Names are checked, and nothing else of the values. */
import type { TableName } from '../../cdc/captured-table.ts'
import { ServiceError } from '../../service-error.ts'
import { assertComplete, type FieldNames, type Fields, invalidRequest, shownValue } from './fields.ts'
import { formFields } from './form-fields.ts'
import { jsonFields } from './json-fields.ts'

export type BodyForm = 'form' | 'json'

const OF_ALL = ['connectionString', 'environmentId'] as const
const CALLS = {
  createConnection: { required: OF_ALL, optional: ['tables', 'namespace'] },
  createQuery: { required: [...OF_ALL, 'schema', 'sqlQuery'], optional: ['namespace'] },
  deleteConnection: { required: OF_ALL, optional: ['purge', 'namespace'] },
  check: { required: OF_ALL, optional: ['namespace'] },
} as const satisfies Record<string, FieldNames>

export interface Call {
  readonly connectionString: string
  /** `environmentId` */
  readonly name: string
  /** As sent; undefined: not in the body. */
  readonly namespace: string | undefined
}

export interface CreateConnectionCall extends Call {
  readonly tables: '*' | readonly TableName[] | undefined
}

export interface CreateQueryCall extends Call {
  readonly schema: string
  readonly sqlQuery: string
}

export interface DeleteConnectionCall extends Call {
  readonly purge: boolean
}

// Each throws ServiceError 'invalid_parameter' or 'invalid_environment_id'.

export function parseCreateConnection(body: Uint8Array, _: number, form: BodyForm): CreateConnectionCall {
  const fields = fieldsOf(body, form, CALLS.createConnection)
  return { ...callOf(fields), tables: tablesOf(fields.get('tables')) }
}

export function parseCreateQuery(body: Uint8Array, _: number, form: BodyForm): CreateQueryCall {
  const fields = fieldsOf(body, form, CALLS.createQuery)
  return { ...callOf(fields), schema: fields.get('schema')!, sqlQuery: fields.get('sqlQuery')! }
}

export function parseDeleteConnection(body: Uint8Array, _: number, form: BodyForm): DeleteConnectionCall {
  const fields = fieldsOf(body, form, CALLS.deleteConnection)
  return { ...callOf(fields), purge: truthOf('purge', fields.get('purge')) }
}

export function parseCheck(body: Uint8Array, _: number, form: BodyForm): Call {
  return callOf(fieldsOf(body, form, CALLS.check))
}

/** Throws ServiceError 'invalid_parameter'. */
export function truthOf(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false
  if (text === 'true') return true
  throw invalidRequest(`${name} is ${shownValue(text)}; use true or false`)
}

function fieldsOf(body: Uint8Array, form: BodyForm, names: FieldNames): Fields {
  const fields = form === 'json' ? jsonFields(body, names) : formFields(body, names)
  assertComplete(fields, names)
  return fields
}

const NAME = /^[a-zA-Z0-9_-]{1,100}$/

function callOf(fields: Fields): Call {
  const name = fields.get('environmentId')!
  if (!NAME.test(name))
    throw new ServiceError(
      'invalid_environment_id',
      `environmentId is ${shownValue(name)}; use 1 to 100 letters, digits, _ and -`,
    )
  return { connectionString: fields.get('connectionString')!, name, namespace: fields.get('namespace') }
}

const TABLE = /\s*(?:"((?:[^"]|"")+)"|([^\s",.]+))\.(?:"((?:[^"]|"")+)"|([^\s",.]+))\s*(,|$)/y

/** `schema.table,…`; a name with a dot, a comma or a space is in double quotes, as in SQL. */
function tablesOf(text: string | undefined): CreateConnectionCall['tables'] {
  if (text === undefined || text.trim() === '') return undefined
  if (text.trim() === '*') return '*'
  const tables = new Map<string, TableName>()
  TABLE.lastIndex = 0
  for (let isLast = false; !isLast; ) {
    const at = TABLE.lastIndex
    const found = TABLE.exec(text)
    if (found === null)
      throw invalidRequest(
        `tables is no list at character ${at + 1}; use * or names with their schema, as in public.orders,public.customers`,
      )
    const [, quotedSchema, schema, quotedTable, table, comma] = found
    const name = {
      schema: schema ?? quotedSchema!.replaceAll('""', '"'),
      table: table ?? quotedTable!.replaceAll('""', '"'),
    }
    tables.set(JSON.stringify(name), name)
    isLast = comma === ''
  }
  return [...tables.values()]
}
