/**
 * A deployment whose script has a table and a view of its own is exactly once: its process of jobs and the built service are killed while
 * events are written, and each event is in the sink once, in order. Its window keeps its rows, too.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { effort } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { POLL } from '../support/speeds.ts'
import { signalTo, workerOf } from './jobs/processes.ts'

const ROUNDS = effort({ short: 4, long: 24 })
const NAMESPACE = '/v3/namespaces/default/streams'
const API = '/api/v1/namespaces/default'
const SCRIPT = `
  CREATE TEMPORARY TABLE numbers (n INT, ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts)
    WITH ('connector' = 'stream', 'stream' = 'numbers');
  CREATE TEMPORARY TABLE passed (n INT) WITH ('connector' = 'stream', 'stream' = 'passed');
  CREATE TEMPORARY TABLE counted (n BIGINT, first INT) WITH ('connector' = 'stream', 'stream' = 'counted');
  CREATE TEMPORARY VIEW even AS SELECT n, ts FROM numbers WHERE MOD(n, 2) = 0;
  BEGIN STATEMENT SET;
  INSERT INTO passed SELECT n FROM even;
  INSERT INTO counted SELECT COUNT(*), MIN(n) FROM TABLE(TUMBLE(TABLE even, DESCRIPTOR(ts), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end;
  END;`

test('each event is in the sinks once, whatever is killed', {
  timeout: 120_000 + ROUNDS * 60_000,
}, async () => {
  const folder = await temporaryFolder()
  let service = await startServiceProcess(folder)
  await fetch(`${service.base}${NAMESPACE}/numbers`, { method: 'PUT' })
  const artifact = { kind: 'SQLSCRIPT', sqlScript: SCRIPT }
  const body = { metadata: { name: 'numbers' }, spec: { state: 'RUNNING', template: { spec: { artifact } } } }
  const created = await fetch(`${service.base}${API}/deployments`, {
    ...{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) },
  })
  expect(created.status, await created.text()).toBe(201)
  await untilRuns(service)
  let sent = 0
  const sendSome = async () => {
    for (let i = 0; i < 50; i++, sent++) {
      const event = JSON.stringify({ n: sent, ms: sent * 1_000 })
      const answer = await fetch(`${service.base}${NAMESPACE}/numbers`, { method: 'POST', body: event })
      expect(answer.status).toBe(200)
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    await sendSome()
    await delay((round * 137) % 400)
    if (round % 2 === 0) {
      // After a restart the deployment is RUNNING before the process of its job has started again.
      const { pid } = service
      await expect
        .poll(() => signalTo(workerOf(pid), 'SIGKILL'), {
          ...POLL,
          timeout: 60_000,
          message: 'a worker runs',
        })
        .toBe(true)
    } else {
      await service.kill()
      service = await startServiceProcess(folder)
    }
    await sendSome()
    await untilRuns(service)
  }
  const evens = Array.from({ length: sent / 2 }, (_, i) => i * 2)
  await expect
    .poll(async () => (await bodiesOf(service, 'passed')).length, { ...POLL, timeout: 60_000 })
    .toBeGreaterThanOrEqual(evens.length)
  const passed = await bodiesOf(service, 'passed')
  await proven(() => expect(passed).toEqual(evens.map((n) => ({ n }))))
  // The last windows stay open: no event is behind them.
  const closed = Math.floor((sent - 2) / 10)
  await expect
    .poll(async () => (await bodiesOf(service, 'counted')).length, { ...POLL, timeout: 60_000 })
    .toBeGreaterThanOrEqual(closed)
  const counted = await bodiesOf(service, 'counted')
  const wanted = Array.from({ length: closed }, (_, window) => ({ n: 5, first: window * 10 }))
  await proven(() => expect(counted).toEqual(wanted))
})

async function untilRuns({ base }: ServiceProcess): Promise<void> {
  const state = async () => {
    const { items } = (await (await fetch(`${base}${API}/deployments`)).json()) as {
      readonly items: readonly { readonly status: { readonly state: string } }[]
    }
    return items.map(({ status }) => status.state)
  }
  await expect.poll(state, { ...POLL, timeout: 60_000 }).toEqual(['RUNNING'])
}

async function bodiesOf({ base }: ServiceProcess, stream: string): Promise<unknown[]> {
  const answer = await fetch(`${base}${NAMESPACE}/${stream}/events?limit=100000`)
  if (answer.status !== 200) return []
  return ((await answer.json()) as { readonly body: string }[]).map(({ body }) => JSON.parse(body))
}
