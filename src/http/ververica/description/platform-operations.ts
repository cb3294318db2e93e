/** The operations of `/swagger.json`: SQL scripts, namespaces, API tokens and the status of the service. */
import type { JsonObject } from '../../../deployments/resources.ts'
import type { Schema } from '../../../deployments/schema.ts'
import {
  API_TOKEN_BODY,
  NAMESPACE_BODY,
  NEW_NAMESPACE_BODY,
  STATEMENT_BODY,
  SUGGEST_BODY,
} from '../body-schemas.ts'
import type { Answer, Body, Operation, Tag } from './operation.ts'
import { about, COUNT, choice, constant, list, printed, TEXT, TIME } from './schema-words.ts'

export const PLATFORM_TAGS: readonly Tag[] = [
  {
    name: 'SQL scripts',
    description: 'Statements: what kind they are, their effect, and what may come next.',
  },
  { name: 'Namespaces', description: 'Each has streams, tables and deployments of its own.' },
  { name: 'API tokens', description: 'Tokens for one namespace.' },
  { name: 'Status', description: 'Whether the service works, and its build.' },
]

const ok = (schema: Schema, sentence: string, example: JsonObject): Answer => {
  return { status: 200, schema, about: sentence, example }
}

function body(schema: Schema, example: JsonObject): Body {
  return { schema, form: 'create', example }
}

const PLACE = printed({
  ...{ lineNumber: COUNT, columnNumber: COUNT, endLineNumber: COUNT, endColumnNumber: COUNT },
  ...{ message: TEXT, cause: TEXT },
})
const VERDICT = printed({
  validationResult: choice(
    ...[
      ...['VALID_DDL_STATEMENT', 'VALID_COMMAND_STATEMENT', 'VALID_INSERT_QUERY', 'VALID_SELECT_QUERY'],
      ...['INVALID', 'INVALID_QUERY', 'UNSUPPORTED_QUERY'],
    ].map((kind) => `VALIDATION_RESULT_${kind}`),
  ),
  errorDetails: about('Zeros and empty texts for a valid statement.', PLACE),
})
const ROWS = printed(
  { result: choice('RESULT_SUCCESS', 'RESULT_SUCCESS_WITH_ROWS') },
  {
    resultTable: printed({
      headers: list(printed({ name: TEXT })),
      rows: list(printed({ cells: list(printed({ value: TEXT })) })),
    }),
  },
)
const COMPLETIONS = printed({
  completions: list(printed({ text: TEXT, type: constant('HINT_TYPE_UNKNOWN') })),
})
const NO_PLACE = {
  lineNumber: 0,
  columnNumber: 0,
  endLineNumber: 0,
  endColumnNumber: 0,
  message: '',
  cause: '',
}

const SCRIPTS = '/sql/v1beta1/namespaces/{namespace}/sqlscripts'
const scripts: readonly Operation[] = [
  {
    ...{ method: 'POST', path: `${SCRIPTS}:validate`, id: 'validateSqlScript', tag: 'SQL scripts' },
    summary: 'Tell of which kind a statement is, and whether it is valid',
    body: body(STATEMENT_BODY, { statement: 'SHOW TABLES' }),
    answer: ok(VERDICT, 'Also for a statement that is not valid.', {
      ...{ validationResult: 'VALIDATION_RESULT_VALID_COMMAND_STATEMENT', errorDetails: NO_PLACE },
    }),
  },
  {
    ...{ method: 'POST', path: `${SCRIPTS}:execute`, id: 'executeSqlScript', tag: 'SQL scripts' },
    summary: 'Run a statement that defines or shows something',
    refusals: [409],
    body: body(STATEMENT_BODY, { statement: 'SHOW TABLES' }),
    answer: ok(ROWS, 'The rows of the statement, if it has any.', {
      result: 'RESULT_SUCCESS_WITH_ROWS',
      resultTable: { headers: [{ name: 'table name' }], rows: [{ cells: [{ value: 'in1' }] }] },
    }),
  },
  {
    ...{ method: 'POST', path: `${SCRIPTS}:suggest`, id: 'suggestSqlScript', tag: 'SQL scripts' },
    summary: 'List words that may stand at a place of a script',
    body: body(SUGGEST_BODY, { sqlScript: 'SHOW TA', position: 7 }),
    answer: ok(COMPLETIONS, 'At most 100 words.', {
      completions: [{ text: 'TABLES', type: 'HINT_TYPE_UNKNOWN' }],
    }),
  },
]

/** As the client sent them. */
const ROLE_BINDING = printed({}, { members: list(TEXT), role: TEXT })
const NAMESPACE = printed(
  {
    name: TEXT,
    lifecyclePhase: choice('LIFECYCLE_PHASE_ACTIVE', 'LIFECYCLE_PHASE_TERMINATING'),
    roleBindings: list(ROLE_BINDING),
  },
  { createTime: about('Of a namespace that was made by this API.', TIME) },
)
const A_NAMESPACE = printed({ namespace: NAMESPACE })
const NAMESPACE_EXAMPLE: JsonObject = {
  ...{ name: 'namespaces/my-namespace', createTime: '2019-10-07T11:07:12.667Z' },
  lifecyclePhase: 'LIFECYCLE_PHASE_ACTIVE',
  roleBindings: [{ members: ['system:authenticated'], role: 'owner' }],
}
const NEW_NAMESPACE: JsonObject = {
  name: 'namespaces/my-namespace',
  roleBindings: [{ role: 'owner', members: ['system:authenticated'] }],
}

const NS = '/namespaces/v1/namespaces'
const namespaces: readonly Operation[] = [
  {
    ...{ method: 'GET', path: NS, id: 'listNamespaces', tag: 'Namespaces', summary: 'List namespaces' },
    answer: ok(printed({ namespaces: list(NAMESPACE) }), 'Those in which the token has grants.', {
      namespaces: [NAMESPACE_EXAMPLE],
    }),
  },
  {
    ...{ method: 'POST', path: NS, id: 'createNamespace', tag: 'Namespaces', summary: 'Create a namespace' },
    refusals: [409],
    body: body(NEW_NAMESPACE_BODY, NEW_NAMESPACE),
    answer: { ...ok(A_NAMESPACE, 'What was created.', { namespace: NAMESPACE_EXAMPLE }), status: 201 },
  },
  {
    ...{ method: 'GET', path: `${NS}/{namespace}`, id: 'getNamespace', tag: 'Namespaces' },
    summary: 'Get a namespace',
    answer: ok(A_NAMESPACE, 'The namespace.', { namespace: NAMESPACE_EXAMPLE }),
  },
  {
    ...{ method: 'PUT', path: `${NS}/{namespace}`, id: 'putNamespace', tag: 'Namespaces' },
    summary: 'Replace the role bindings of a namespace',
    body: body(NAMESPACE_BODY, NEW_NAMESPACE),
    answer: ok(A_NAMESPACE, 'The namespace as changed.', { namespace: NAMESPACE_EXAMPLE }),
  },
  {
    ...{ method: 'DELETE', path: `${NS}/{namespace}`, id: 'deleteNamespace', tag: 'Namespaces' },
    summary: 'Delete an empty namespace',
    refusals: [409],
    answer: ok(A_NAMESPACE, 'What was deleted.', {
      namespace: { ...NAMESPACE_EXAMPLE, lifecyclePhase: 'LIFECYCLE_PHASE_TERMINATING' },
    }),
  },
]

const ROLE = choice('viewer', 'editor', 'owner')
const TOKEN = { name: TEXT, role: ROLE, createTime: TIME }
const TOKEN_EXAMPLE: JsonObject = {
  ...{
    name: 'namespaces/default/apitokens/ci-token',
    role: 'editor',
    createTime: '2019-10-07T11:07:12.667Z',
  },
}
const TOKENS = '/apitokens/v1/namespaces/{namespace}/apitokens'
const tokens: readonly Operation[] = [
  {
    ...{ method: 'GET', path: TOKENS, id: 'listApiTokens', tag: 'API tokens' },
    ...{ summary: 'List the API tokens of a namespace', refusals: [501] },
    answer: ok(printed({ apiTokens: list(printed(TOKEN)) }), 'Without their secrets.', {
      apiTokens: [TOKEN_EXAMPLE],
    }),
  },
  {
    ...{ method: 'POST', path: TOKENS, id: 'createApiToken', tag: 'API tokens' },
    ...{ summary: 'Create an API token', refusals: [409, 501] },
    body: body(API_TOKEN_BODY, { name: 'namespaces/default/apitokens/ci-token', role: 'editor' }),
    answer: {
      status: 201,
      schema: printed({ apiToken: printed({ ...TOKEN, secret: TEXT }) }),
      about: 'The secret is in this answer alone.',
      example: { apiToken: { ...TOKEN_EXAMPLE, secret: 'mr_…' } },
    },
  },
  {
    ...{ method: 'GET', path: `${TOKENS}/{token}`, id: 'getApiToken', tag: 'API tokens' },
    ...{ summary: 'Get an API token, without its secret', refusals: [501] },
    answer: ok(printed({ apiToken: printed(TOKEN) }), 'Without its secret.', { apiToken: TOKEN_EXAMPLE }),
  },
  {
    ...{ method: 'DELETE', path: `${TOKENS}/{token}`, id: 'deleteApiToken', tag: 'API tokens' },
    ...{ summary: 'Delete an API token, which is refused from then on', refusals: [501] },
    answer: ok(printed({}), 'The token is deleted.', {}),
  },
]

const BUILD = printed({ buildTime: TEXT, buildVersion: TEXT, commitShaLong: TEXT, commitShaShort: TEXT })
const status: readonly Operation[] = [
  {
    ...{ method: 'GET', path: '/api/v1/status', id: 'getStatus', tag: 'Status' },
    summary: 'Tell whether the service works',
    answer: ok(printed({}), 'It works.', {}),
  },
  {
    ...{ method: 'GET', path: '/api/v1/status/system-info', id: 'getSystemInformation', tag: 'Status' },
    summary: 'Get the build of the service',
    answer: ok(
      printed({
        ...{ kind: constant('SystemInformation'), apiVersion: constant('v1') },
        status: printed({
          ...{ revisionInformation: BUILD, jvmVersion: TEXT },
          resourceQuota: printed({
            ...{ kind: constant('ResourceQuota'), apiVersion: constant('v1') },
            spec: printed({ type: constant('UNLIMITED') }),
            status: printed({ used: printed({ cpu: { kind: 'number' } }) }),
          }),
        }),
      }),
      'The build.',
      {
        ...{ kind: 'SystemInformation', apiVersion: 'v1' },
        status: {
          revisionInformation: {
            ...{ buildTime: '', buildVersion: '0.1.0', commitShaLong: '', commitShaShort: '' },
          },
          jvmVersion: '',
          resourceQuota: {
            ...{ kind: 'ResourceQuota', apiVersion: 'v1', spec: { type: 'UNLIMITED' } },
            status: { used: { cpu: 0 } },
          },
        },
      },
    ),
  },
]

export const PLATFORM_OPERATIONS: readonly Operation[] = [...scripts, ...namespaces, ...tokens, ...status]
