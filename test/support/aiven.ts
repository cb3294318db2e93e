/** Requests of the API of Aiven for Apache Flink, as tests send them. */
import { expect } from 'vitest'
import type { RequestOptions, TestApp, TestResponse } from './test-app.ts'

/** Of the namespace `default`. */
export const PROJECT = '/v1/project/my-test-project'
export const SERVICE = `${PROJECT}/service/default`
export const FLINK = `${SERVICE}/flink`

/** With a JSON body. */
export function jsonBody(value: unknown, headers: Record<string, string> = {}): RequestOptions {
  return { headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

/** Status and body. */
export function seen({ status, text }: Pick<TestResponse, 'status' | 'text'>): unknown {
  return [status, JSON.parse(text)]
}

/** A refusal as clients of Aiven read it. */
export function refusal(status: number, message: unknown): unknown {
  return [status, { message, errors: [{ message, more_info: '', status }] }]
}

/** The id of the integration that every service has. */
export async function builtIn(app: TestApp, headers: Record<string, string> = {}, service = SERVICE) {
  const answer = await app.get(`${service}/integration`, { headers })
  expect(answer.status, answer.text).toBe(200)
  const [first] = (answer.json() as { service_integrations: { service_integration_id: string }[] })
    .service_integrations
  return first!.service_integration_id
}

export interface NewTable {
  readonly name?: string
  readonly schema_sql?: string
  readonly [member: string]: unknown
}

/** A table over the stream of its name in lower case, if the members name no other place. Returns its id. */
export async function createTable(
  app: TestApp,
  { name = 'KAlert', schema_sql = '`node` INT', ...members }: NewTable = {},
  { headers = {}, service = SERVICE }: { headers?: Record<string, string>; service?: string } = {},
): Promise<string> {
  const integration_id = await builtIn(app, headers, service)
  const place = Object.keys(members).length > 0 ? members : { kafka_topic: name.toLowerCase() }
  const body = { integration_id, name, schema_sql, ...place }
  const answer = await app.post(`${service}/flink/table`, jsonBody(body, headers))
  expect(answer.status, answer.text).toBe(200)
  return (answer.json() as { table_id: string }).table_id
}

/** Returns its id. */
export async function createJob(
  app: TestApp,
  body: { readonly statement: string; readonly table_ids?: readonly string[]; readonly job_name?: string },
  { headers = {}, service = SERVICE }: { headers?: Record<string, string>; service?: string } = {},
): Promise<string> {
  const answer = await app.post(`${service}/flink/job`, jsonBody(body, headers))
  expect(answer.status, answer.text).toBe(200)
  return (answer.json() as { job_id: string }).job_id
}

/** The members of a job's detail that tests look at. */
export interface JobDetail {
  readonly state: string
  readonly millrace: {
    readonly restarts: number
    readonly recordsIn: number
    readonly recordsOut: number
    readonly recordsBad: number
    readonly recordsLate: number
    readonly badRecords: readonly object[]
    readonly exceptions: readonly { readonly message: string }[]
  }
}

export async function detailOf(
  app: TestApp,
  id: string,
  headers: Record<string, string> = {},
  service = SERVICE,
): Promise<JobDetail> {
  const answer = await app.get(`${service}/flink/job/${id}`, { headers })
  expect(answer.status, answer.text).toBe(200)
  return answer.json() as JobDetail
}
