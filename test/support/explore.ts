/** Asking the SQL questions of the tests. */
import { expect } from 'vitest'
import { Explore } from '../../src/explore/explore.ts'
import type { Registry } from '../../src/streams/registry.ts'
import type { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import type { RequestOptions, TestApp, TestResponse } from './test-app.ts'

export const QUERIES = '/v3/data/explore/queries'
export const DEFAULT_QUERIES = '/v3/namespaces/default/data/explore/queries'

export interface QueryState {
  readonly status: string
  readonly hasResults: boolean
  readonly errorMessage?: string
  readonly sqlState?: string
  readonly badEvents?: number
  readonly firstBadEvents?: readonly { table: string; sequence: number; timestamp: number; reason: string }[]
}

export function submit(
  app: TestApp,
  query: string,
  conf: Record<string, string> = {},
  options: RequestOptions = {},
): Promise<TestResponse> {
  return app.post(DEFAULT_QUERIES, { ...options, body: JSON.stringify({ query, ...conf }) })
}

/** The handle of a query that is accepted. */
export async function handleOf(
  app: TestApp,
  query: string,
  conf?: Record<string, string>,
  options?: RequestOptions,
): Promise<string> {
  const answer = await submit(app, query, conf, options)
  expect(answer.status, `${query}: ${answer.text}`).toBe(200)
  return (answer.json() as { handle: string }).handle
}

/** Once it has ended. */
export async function ended(app: TestApp, handle: string, options?: RequestOptions): Promise<QueryState> {
  for (;;) {
    const answer = await app.get(`${QUERIES}/${handle}/status`, options)
    expect(answer.status, answer.text).toBe(200)
    const state = answer.json() as QueryState
    if (state.status !== 'INITIALIZED' && state.status !== 'RUNNING') return state
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export interface Answered {
  /** `name TYPE` of each. */
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  readonly state: QueryState
}

/** Columns and all rows of a query that succeeds. */
export async function answered(
  app: TestApp,
  query: string,
  conf?: Record<string, string>,
): Promise<Answered> {
  const handle = await handleOf(app, query, conf)
  const state = await ended(app, handle)
  expect(state.status, `${query}: ${state.errorMessage}`).toBe('FINISHED')
  const schema = (await app.get(`${QUERIES}/${handle}/schema`)).json() as { name: string; type: string }[]
  const page = await app.post(`${QUERIES}/${handle}/next`, { body: '{"size":"10000"}' })
  await app.delete(`${QUERIES}/${handle}`)
  return {
    columns: schema.map(({ name, type }) => `${name} ${type}`),
    rows: (page.json() as { columns: unknown[] }[]).map(({ columns }) => columns),
    state,
  }
}

export async function rowsOf(app: TestApp, query: string): Promise<readonly (readonly unknown[])[]> {
  return (await answered(app, query)).rows
}

/** For apps of which only the routes matter. */
export function restingExplore(registry: Registry): Explore {
  return new Explore(undefined as unknown as Streams, registry, {
    nowMs: Date.now,
    random: Math.random,
    report() {},
    oldestMs: async () => 0,
    memoryBytes: 64 * 1024 * 1024,
    diskBytes: 0,
    spillFolder: '(none)',
    diskIsLow: () => false,
    queriesMax: 1,
    idleMs: 1,
    runMs: 1,
    usage: new UsageRegistry(),
  })
}
