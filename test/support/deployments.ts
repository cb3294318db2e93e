/** The Ververica API on the whole service, as tests call it. */
import { expect, onTestFinished } from 'vitest'
import { createTable } from './aiven.ts'
import { startTestApp, type TestApp, type TestAppOptions } from './test-app.ts'

export const API = '/api/v1/namespaces/default'
/** Runs on the tables of `deploymentsApp`. */
export const COPY = 'INSERT INTO out1 SELECT a FROM in1'

/** Of nothing. */
export const ABSENT_ID = '3e3653eb-22d6-4449-a3d2-8d57d385bc45'

/** A JSON value as tests read it. */
// biome-ignore lint/suspicious/noExplicitAny: the members are what a test is about
export type Body = any

export interface Answer {
  readonly status: number
  readonly body: Body
  readonly text: string
}

export interface DeploymentsApp extends TestApp {
  /** `path` is below that of the namespace `default`, unless it begins with a slash. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** As `call`; fails unless the status is 2xx. Resolves with the body. */
  ok(method: string, path: string, body?: unknown): Promise<Body>
  /** A new deployment, CANCELLED unless `spec` says otherwise. */
  deployment(name: string, spec?: object, metadata?: object): Promise<Body>
}

/** With the tables `in1` and `out1`. Has to be stopped. `headers`: of all requests, such as a token. */
export async function startDeploymentsApp(
  options: TestAppOptions = {},
  headers: Record<string, string> = {},
): Promise<DeploymentsApp & { stop(): Promise<void> }> {
  const app = await startTestApp(options)
  for (const name of ['in1', 'out1']) {
    const stream = await app.put(`/v3/namespaces/default/streams/${name}`, { headers })
    expect(stream.status, stream.text).toBe(200)
    await createTable(app, { name, schema_sql: 'a INT' }, { headers })
  }
  async function call(method: string, path: string, body?: unknown, more: Record<string, string> = {}) {
    const answer = await app.request(method, path.startsWith('/') ? path : `${API}/${path}`, {
      headers: { 'Content-Type': 'application/json', ...headers, ...more },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: answer.status, text: answer.text, body: answer.json() as Body }
  }
  async function ok(method: string, path: string, body?: unknown) {
    const answer = await call(method, path, body)
    expect(Math.floor(answer.status / 100), answer.text).toBe(2)
    return answer.body
  }
  const deployment = (name: string, spec: object = {}, metadata: object = {}) =>
    ok('POST', 'deployments', { metadata: { name, ...metadata }, spec: { ...cancelled(), ...spec } })
  return Object.assign(app, { call, ok, deployment })
}

export async function deploymentsApp(
  options: TestAppOptions = {},
  headers: Record<string, string> = {},
): Promise<DeploymentsApp> {
  const app = await startDeploymentsApp(options, headers)
  onTestFinished(() => app.stop())
  return app
}

/** The spec of a deployment that starts nothing. */
export function cancelled(templateSpec: object = {}) {
  return {
    state: 'CANCELLED',
    template: { spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: COPY }, ...templateSpec } },
  }
}

/** The errors of an ApiValidationException, as `attribute: message`. */
export function errorsOf({ status, body }: Answer): unknown {
  expect([status, body.kind], JSON.stringify(body)).toEqual([400, 'ApiValidationException'])
  const errors = body.errors as { attribute: string; message: string }[]
  expect(body).toEqual({
    ...{ kind: 'ApiValidationException', apiVersion: 'v1', statusCode: 400, errors },
    message: `Validation failed for ${errors.length} attribute${errors.length === 1 ? '' : 's'}.`,
  })
  return errors.map(({ attribute, message }) => `${attribute}: ${message}`)
}

/** Status, reason and message of an ApiException. */
export function exceptionOf({ status, body }: Answer): unknown {
  expect([body.kind, body.apiVersion, body.statusCode], JSON.stringify(body)).toEqual([
    'ApiException',
    'v1',
    status,
  ])
  for (const text of Object.values(body.context)) expect(text).toEqual(expect.any(String))
  return [status, body.reason, body.message]
}
