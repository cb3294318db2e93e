/** The paths of SQL scripts: bodies, answers in both forms, errors with their place. What statements mean is tested in test/sql-scripts/. */
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type TestApp, testApp } from '../../support/test-app.ts'

const S = '/sql/v1beta1/namespaces/default/sqlscripts'
const WITH = "WITH ('connector' = 'datagen')"
const TABLE = `CREATE TABLE t (a INT) ${WITH}`
const NO_PLACE = { lineNumber: 0, columnNumber: 0, endLineNumber: 0, endColumnNumber: 0 }

async function call(app: TestApp, path: string, body: object | string, accept = 'application/json') {
  const headers = { 'Content-Type': 'application/json', Accept: accept }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const { status, headers: sent, text: answer } = await app.post(path, { headers, body: text })
  expect(sent['content-type']).toBe(accept)
  return [status, accept === 'application/yaml' ? parse(answer) : JSON.parse(answer)]
}

test('validate, execute and suggest answer in their forms, in JSON and YAML, however the colon is written', async () => {
  const app = await testApp()
  for (const colon of [':', '%3A', '%3a'])
    for (const accept of ['application/json', 'application/yaml']) {
      const run = (name: string, body: object) => call(app, `${S}${colon}${name}`, body, accept)
      expect(await run('validate', { statement: TABLE })).toEqual([
        200,
        {
          validationResult: 'VALIDATION_RESULT_VALID_DDL_STATEMENT',
          errorDetails: { ...NO_PLACE, message: '', cause: '' },
        },
      ])
      expect(await run('execute', { statement: TABLE })).toEqual([200, { result: 'RESULT_SUCCESS' }])
      const rows = (...names: string[]) => ({
        result: 'RESULT_SUCCESS_WITH_ROWS',
        resultTable: {
          headers: [{ name: 'table name' }],
          rows: names.map((value) => ({ cells: [{ value }] })),
        },
      })
      expect(await run('execute', { statement: 'SHOW TABLES' })).toEqual([200, rows('t')])
      expect(await run('execute', { statement: 'DROP TABLE t' })).toEqual([200, { result: 'RESULT_SUCCESS' }])
      expect(await run('execute', { statement: 'SHOW TABLES' })).toEqual([200, rows()])
      const [status, { completions }] = await run('suggest', { sqlScript: 'SHOW TA', position: 7 })
      expect([status, completions]).toEqual([
        200,
        expect.arrayContaining([{ text: 'TABLES', type: 'HINT_TYPE_UNKNOWN' }]),
      ])
    }
  expect(app.reported).toEqual([])
})

test('a statement that is refused: 200 with its place by validate, 400 with it by execute', async () => {
  const app = await testApp()
  const statement = `CREATE TABLE t (\n  a NOTYPE\n) ${WITH}`
  const [status, { validationResult, errorDetails }] = await call(app, `${S}:validate`, { statement })
  expect([status, validationResult]).toEqual([
    200,
    expect.stringMatching(/^VALIDATION_RESULT_(INVALID|INVALID_QUERY)$/),
  ])
  expect(errorDetails).toMatchObject({
    lineNumber: 2,
    message: expect.stringMatching('NOTYPE'),
    cause: expect.any(String),
  })
  const [code, exception] = await call(app, `${S}:execute`, { statement })
  expect([code, exception]).toEqual([
    400,
    {
      ...{ kind: 'ApiException', apiVersion: 'v1', reason: 'SqlError', statusCode: 400 },
      message: expect.stringMatching('line 2, column'),
      context: {
        ...{ line: '2', column: `${errorDetails.columnNumber}` },
        ...{ endLine: `${errorDetails.endLineNumber}`, endColumn: `${errorDetails.endColumnNumber}` },
      },
    },
  ])
  const [select, refused] = await call(app, `${S}:execute`, { statement: 'SELECT 1' })
  expect([select, refused.message]).toEqual([
    400,
    expect.stringMatching('use data/explore/queries, or INSERT INTO'),
  ])
})

test.each([
  ['validate', {}, 'statement', 'must not be null'],
  ['execute', { statement: 1 }, 'statement', 'must be a text'],
  ['execute', { statment: 'x', statement: '' }, 'statment', 'unknown attribute'],
  ['suggest', { position: 1 }, 'sqlScript', 'must not be null'],
  ['suggest', { sqlScript: 'a', position: 2 }, 'position', 'must be less than or equal to 1'],
  ['suggest', { sqlScript: 'a', position: -1 }, 'position', 'must be greater than or equal to 0'],
  ['suggest', { sqlScript: 'a', position: 0.5 }, 'position', 'must be a whole number'],
])('%s %j is refused', async (name, body, attribute, message) => {
  const app = await testApp()
  const [status, { kind, errors }] = await call(app, `${S}:${name}`, body)
  expect([status, kind, errors]).toEqual([400, 'ApiValidationException', [{ attribute, message }]])
})

test('an unknown call is no path', async () => {
  const app = await testApp()
  for (const name of [':nope', 'validate', ':', '::validate'])
    expect((await app.post(`${S}${name}`, { body: '{}' })).status).toBe(404)
})
