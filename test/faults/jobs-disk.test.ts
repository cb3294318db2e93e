/**
 * Disks that fail under running jobs: the state file's or the log's writes report errors, the disk is full, or has less free
 * than --min-free-disk asks for. Jobs restart, nothing is lost or doubled, and they go on when the disk takes writes again.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { SmallDisk } from './disk/small-disk.ts'
import { currentWal, type Fault, injectFault, straceProblem } from './disk/strace.ts'
import { FlinkClient } from './jobs/flink-client.ts'
import { EventMaker, INPUT } from './jobs/input.ts'
import { createJobs, JOBS, untilSettled } from './jobs/job-set.ts'
import { workerOf } from './jobs/processes.ts'

const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const TIMEOUT_MS = 600_000
const SOON = { timeout: 180_000, interval: 50 }
const SETTLE_MS = 240_000
const MIB = 1024 * 1024
const SOME = JOBS.filter(({ name }) => ['arrival', 'TUMBLE', 'running'].includes(name))
const noStrace = await straceProblem()

/** Jobs, and one writer that counts what was answered 200. */
async function jobsOn(port: number) {
  const client = new FlinkClient(port)
  const ids = await createJobs(client, SOME, undefined)
  for (const id of ids.values()) await client.until(id, 'RUNNING')
  const maker = new EventMaker(seededRandom(SEED))
  const acknowledged: number[] = []
  return {
    client,
    ids,
    async post(count: number): Promise<number | undefined> {
      const lines = maker.lines(count)
      const status = await client.post(INPUT, lines)
      if (status === 200) for (const line of lines) acknowledged.push(JSON.parse(line).id)
      return status
    },
    async states(): Promise<readonly { state: string; error: string }[]> {
      return Promise.all([...ids.values()].map((id) => client.seen(id)))
    },
    settled: () => untilSettled({ client, jobs: SOME, acknowledged, settleMs: SETTLE_MS }),
  }
}

const faults: readonly {
  readonly name: string
  readonly of: 'jobs' | 'service'
  readonly fault: Omit<Fault, 'path'>
}[] = [
  { name: 'a sync of a state reports EIO', of: 'jobs', fault: { calls: 'fsync,fdatasync', error: 'EIO' } },
  {
    name: 'a write of a state reports ENOSPC',
    of: 'jobs',
    fault: { calls: 'write,pwrite64', error: 'ENOSPC' },
  },
  { name: 'a sync of the log reports EIO', of: 'service', fault: { calls: 'fdatasync', error: 'EIO' } },
]

test.for(faults)('$name', { timeout: TIMEOUT_MS }, async ({ name, of, fault }, { skip }) => {
  if (noStrace !== undefined) skip(noStrace)
  const folder = await temporaryFolder()
  const service = await startServiceProcess(folder)
  const jobs = await jobsOn(service.port)
  await jobs.post(200)
  await jobs.settled()
  const [first] = jobs.ids.values()
  const state = join(folder, 'jobs', first!, 'state.duckdb.wal')
  const pid = of === 'jobs' ? workerOf(service.pid)! : service.pid
  const injected = await injectFault(pid, { ...fault, path: of === 'jobs' ? state : currentWal(folder) })
  let seen: readonly { state: string; error: string }[] = []
  await vi.waitUntil(async () => {
    const status = await jobs.post(10)
    seen = await jobs.states()
    // The service may open its store again before a job has an error.
    return of === 'jobs' ? seen.some(({ error }) => error !== '') : status !== 200
  }, SOON)
  await injected.end()
  await proven(() => {
    for (const { state, error } of seen) expect(`${state} ${error}`).not.toMatch(/^FAIL/)
  })
  await vi.waitUntil(async () => (await jobs.post(100)) === 200, SOON)
  const rows = await jobs.settled()
  for (const id of jobs.ids.values()) await jobs.client.until(id, 'RUNNING')
  tellProof(`jobs, ${name}`, { ...Object.fromEntries(rows), 'lost or doubled': 0 })
})

test('the disk is full', { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const disk = await SmallDisk.mount(96)
  if (typeof disk === 'string') return skip(disk)
  const folder = join(disk.folder, 'data')
  mkdirSync(folder)
  disk.fill(40)
  const service = await startServiceProcess(folder, { args: ['--janitor-seconds', '1'] })
  try {
    const jobs = await jobsOn(service.port)
    await jobs.post(200)
    await jobs.settled()
    disk.fill(Math.floor(disk.freeBytes / MIB), 'more')
    let refused = 0
    let restarting = false
    await vi.waitUntil(async () => {
      if ((await jobs.post(300)) !== 200) refused++
      const seen = await jobs.states()
      await proven(() => {
        for (const { state, error } of seen) expect(`${state} ${error}`).not.toMatch(/^FAIL/)
      })
      restarting ||= seen.some(({ error }) => error !== '')
      return refused > 3 && restarting
    }, SOON)
    disk.clear('more')
    disk.clear()
    await vi.waitUntil(async () => (await jobs.post(100)) === 200, SOON)
    const rows = await jobs.settled()
    tellProof('jobs, full disk', { refused, ...Object.fromEntries(rows), 'lost or doubled': 0 })
  } finally {
    await service.kill()
  }
})

test('with --min-free-disk jobs wait, and the service goes on', { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const disk = await SmallDisk.mount(96)
  if (typeof disk === 'string') return skip(disk)
  const folder = join(disk.folder, 'data')
  mkdirSync(folder)
  const service = await startServiceProcess(folder, { args: ['--min-free-disk', String(40 * MIB)] })
  try {
    const jobs = await jobsOn(service.port)
    await jobs.post(200)
    await jobs.settled()
    disk.fill(Math.ceil(disk.freeBytes / MIB) - 35)
    await vi.waitUntil(async () => {
      const seen = await jobs.states()
      return seen.every(
        ({ state, error }) => state === 'RESTARTING' && /the disk has \d+ bytes free/.test(error),
      )
    }, SOON)
    expect(await jobs.post(10)).toBe(507)
    expect((await jobs.client.events(INPUT)).length).toBe(200)
    await delay(1_500)
    disk.clear()
    await vi.waitUntil(async () => (await jobs.post(200)) === 200, SOON)
    const rows = await jobs.settled()
    for (const id of jobs.ids.values()) await jobs.client.until(id, 'RUNNING')
    tellProof('jobs, watermark of the disk', { ...Object.fromEntries(rows), 'lost or doubled': 0 })
  } finally {
    await service.kill()
  }
})
