/**
 * A job through the built service and its HTTP API: namespace, tables, statement, events, results; then the worker process and
 * the service are ended by SIGKILL again and again, and every result is there exactly once.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { call, createJob, FLINK, post, results, STREAMS, stateOf, UP_TO } from '../support/price-job.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { POLL } from '../support/speeds.ts'

const SLOW = { ...POLL, timeout: 180_000 }
const THIS_TEST_MS = 600_000

/** Records and bytes in and out of source, query and sink. */
async function countsOf(service: ServiceProcess, jid: string): Promise<number[][]> {
  const { vertices } = (await call(service, 'GET', `${FLINK}/job/${jid}`)) as {
    vertices: { metrics: Record<string, number> }[]
  }
  const names = ['read-records', 'read-bytes', 'write-records', 'write-bytes']
  return vertices.map(({ metrics }) => names.map((name) => metrics[name]!))
}

function bytesOf(first: number, last: number): number {
  let bytes = 0
  for (let price = first; price <= last; price++) bytes += JSON.stringify({ item: 'a', price }).length
  return bytes
}

/** The process of jobs, found among the children of the service. */
function workerOf({ pid }: ServiceProcess): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1])
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8')
      if (parent === pid && command.includes('job-worker-process')) return Number(name)
    } catch {
      // ended since
    }
  }
  return undefined
}

test.skipIf(process.platform !== 'linux')(
  'a job goes on after SIGKILL of its process and of the service, with every result once',
  async () => {
    const data = await temporaryFolder()
    let service = await startServiceProcess(data)
    const jid = await createJob(service)
    await post(service, 1, 1000)
    await expect.poll(() => results(service), SLOW).toEqual(UP_TO(1000))
    expect(await stateOf(service, jid)).toBe('RUNNING')
    let last = 1000
    for (let round = 0; round < 6; round++) {
      await post(service, last + 1, last + 200)
      last += 200
      if (round % 2 === 0) {
        const worker = workerOf(service)
        if (worker !== undefined) process.kill(worker, 'SIGKILL')
      } else {
        await service.kill()
        service = await startServiceProcess(data)
      }
      await post(service, last + 1, last + 50)
      last += 50
    }
    await expect.poll(async () => (await results(service)).length, SLOW).toBe(last - 10)
    expect(await results(service)).toEqual(UP_TO(last))
    await expect.poll(() => stateOf(service, jid), SLOW).toBe('RUNNING')
    const bytes = { in: bytesOf(1, last), out: bytesOf(11, last) }
    await expect
      .poll(() => countsOf(service, jid), SLOW)
      .toEqual([
        [last, bytes.in, last, bytes.in],
        [last, bytes.in, last - 10, bytes.out],
        [last - 10, bytes.out, last - 10, bytes.out],
      ])
    await call(service, 'POST', `${FLINK}/job/${jid}/cancel`)
    await expect.poll(() => stateOf(service, jid), SLOW).toBe('CANCELED')
  },
  THIS_TEST_MS,
)

test(
  'SIGTERM ends the running steps and keeps the state; metrics and usage show the job',
  async () => {
    const data = await temporaryFolder()
    const first = await startServiceProcess(data)
    const jid = await createJob(first)
    await post(first, 1, 100)
    await expect.poll(() => results(first), SLOW).toEqual(UP_TO(100))
    const metrics = async () => (await fetch(`${first.base}/metrics`)).text()
    await expect
      .poll(metrics, SLOW)
      .toContain(`millrace_job_records_in_total{namespace="my_shop",job="${jid}",name="high-prices"} 100`)
    expect(await metrics()).toContain('millrace_jobs{state="RUNNING"} 1')
    expect(await call(first, 'GET', `${STREAMS}/prices/programs`)).toMatchObject([{ id: 'high-prices' }])
    expect(await first.stop()).toEqual({ code: 0, signal: null })
    const second = await startServiceProcess(data)
    await post(second, 101, 200)
    await expect.poll(() => results(second), SLOW).toEqual(UP_TO(200))
    expect(await stateOf(second, jid)).toBe('RUNNING')
  },
  THIS_TEST_MS,
)
