/**
 * A job over a started service, through its HTTP API: it lets prices above 10 pass from one stream of the namespace `my_shop` to another.
 */
import type { ServiceProcess } from './service-process.ts'

export const FLINK = '/v1/project/p/service/my-shop/flink'
export const STREAMS = '/v3/namespaces/my_shop/streams'

export async function call(
  service: ServiceProcess,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers: Record<string, string> = typeof body === 'string' ? { 'Content-Type': 'text/plain' } : {}
  const answer = await fetch(`${service.base}${path}`, {
    method,
    headers,
    ...(text !== undefined && { body: text }),
  })
  const answered = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${answered}`)
  return answer.headers.get('content-type')?.includes('json') ? JSON.parse(answered) : undefined
}

async function createTable(service: ServiceProcess, name: string, schema_sql: string): Promise<string> {
  const { service_integrations: integrations } = (await call(
    ...([service, 'GET', '/v1/project/p/service/my-shop/integration'] as const),
  )) as { service_integrations: { service_integration_id: string }[] }
  const integration_id = integrations[0]!.service_integration_id
  const table = { integration_id, name, kafka_topic: name.toLowerCase(), schema_sql }
  return ((await call(service, 'POST', `${FLINK}/table`, table)) as { table_id: string }).table_id
}

/** Namespace, streams, tables and a job that lets values above 10 pass. Returns its id. */
export async function createJob(service: ServiceProcess): Promise<string> {
  await call(service, 'PUT', '/v3/namespaces/my_shop')
  await call(service, 'PUT', `${STREAMS}/prices`)
  const table_ids = [
    await createTable(service, 'PRICES', 'item STRING, price INT'),
    await createTable(service, 'HIGH', 'item STRING, price INT'),
  ]
  const statement = 'INSERT INTO HIGH SELECT item, price FROM PRICES WHERE price > 10'
  const job = { statement, table_ids, job_name: 'high-prices' }
  return ((await call(service, 'POST', `${FLINK}/job`, job)) as { job_id: string }).job_id
}

export async function post(service: ServiceProcess, first: number, last: number): Promise<void> {
  const lines = Array.from({ length: last - first + 1 }, (_, i) =>
    JSON.stringify({ item: 'a', price: first + i }),
  )
  await call(service, 'POST', `${STREAMS}/prices/batch`, lines.join('\n'))
}

export async function results(service: ServiceProcess): Promise<number[]> {
  const answer = await fetch(`${service.base}${STREAMS}/high/events?limit=100000`)
  if (answer.status !== 200) return []
  return ((await answer.json()) as { body: string }[]).map(({ body }) => JSON.parse(body).price)
}

export async function stateOf(service: ServiceProcess, jid: string): Promise<string> {
  return ((await call(service, 'GET', `${FLINK}/job/${jid}`)) as { state: string }).state
}

/** The prices that the job lets pass, of all up to `last`. */
export const UP_TO = (last: number) => Array.from({ length: last - 10 }, (_, i) => 11 + i)
