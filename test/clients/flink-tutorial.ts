/** Two jobs of the tutorial on a service, made by its API, for clients of Flink's REST API. */
import { expect } from 'vitest'
import type { ServiceProcess } from '../support/service-process.ts'
import { EVENTS, IN, JOBS, TABLES } from './tutorial.ts'

/** Jobs without a database. */
export const TUTORIAL_JOBS = ['simple_filter', 'simple_agg']

export interface Besides {
  /** Further tables: name -> schema. Each is over the stream of its name in lower case. */
  readonly tables?: Readonly<Record<string, string>>
  readonly streams?: readonly string[]
}

/** Creates namespace, streams, tables and jobs, and sends the events. Resolves when the jobs run. */
export async function startTutorial(
  service: ServiceProcess,
  namespace: string,
  { tables = {}, streams = [] }: Besides = {},
): Promise<ReadonlyMap<string, string>> {
  const project = `/v1/project/p/service/${namespace}`
  const inNamespace = `/v3/namespaces/${namespace}`
  await call(service, 'PUT', inNamespace)
  for (const stream of [IN, ...streams]) await call(service, 'PUT', `${inNamespace}/streams/${stream}`)
  const { service_integrations: integrations } = (await call(service, 'GET', `${project}/integration`)) as {
    service_integrations: { service_integration_id: string }[]
  }
  const integration_id = integrations[0]!.service_integration_id
  const all = [
    ...TABLES.flatMap(({ name, place, schema }) =>
      'topic' in place ? [{ name, topic: place.topic, schema }] : [],
    ),
    ...Object.entries(tables).map(([name, schema]) => ({ name, topic: name.toLowerCase(), schema })),
  ]
  const ids = new Map<string, string>()
  for (const { name, topic, schema } of all) {
    const table = { integration_id, name, kafka_topic: topic, schema_sql: schema }
    const { table_id } = (await call(service, 'POST', `${project}/flink/table`, table)) as {
      table_id: string
    }
    ids.set(name, table_id)
  }
  await call(service, 'POST', `${inNamespace}/streams/${IN}/batch`, EVENTS.join('\n'))
  const jobs = new Map<string, string>()
  for (const { name, statement, tables: used } of JOBS) {
    if (!TUTORIAL_JOBS.includes(name)) continue
    const job = { statement, job_name: name, table_ids: used.map((table) => ids.get(table)) }
    const { job_id } = (await call(service, 'POST', `${project}/flink/job`, job)) as { job_id: string }
    jobs.set(name, job_id)
  }
  const states = async () => {
    const list = (await call(service, 'GET', '/v1/jobs')) as { jobs: { status: string }[] }
    return list.jobs.map(({ status }) => status)
  }
  await expect.poll(states, { timeout: 180_000 }).toEqual(TUTORIAL_JOBS.map(() => 'RUNNING'))
  return jobs
}

async function call(service: ServiceProcess, method: string, path: string, body?: unknown): Promise<unknown> {
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
