/** The built service and its capture process are killed at random moments while a database changes: each change is in the stream once. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { POLL } from '../support/speeds.ts'

const KILLS = 6

describe.skipIf(NO_POSTGRES)('a captured database', () => {
  let server: TestPostgres
  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())

  test('is in its stream exactly, after kills of the service and of the capture process', async () => {
    await server.sql('CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); INSERT INTO t VALUES (0, 0)')
    const folder = await temporaryFolder()
    let service = await startServiceProcess(folder, { hasChildren: true })
    const fields = { connectionString: server.uri(), environmentId: 'env1', tables: 'public.t' }
    const created = await post(service, 'createDatabaseConnection', fields)
    expect(created.status, await created.clone().text()).toBe(201)

    let stopped = false
    let seed = 7
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed % below
    }
    const load = (async () => {
      for (let i = 1; !stopped; i++) {
        await server.sql(
          `INSERT INTO t SELECT n, 0 FROM generate_series(${i * 10}, ${i * 10 + 4}) n; UPDATE t SET v = v + 1 WHERE id % 7 = ${i % 7}; DELETE FROM t WHERE id % 10 = 3`,
        )
      }
    })()
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(500 + random(2_000))
      if (kill % 2 === 0) {
        for (const pid of capturesOf(service.pid)) process.kill(pid, 'SIGKILL')
      } else {
        await service.kill()
        service = await startServiceProcess(folder, { hasChildren: true })
      }
    }
    stopped = true
    await load
    const wanted = await server.sql('SELECT id, v FROM t ORDER BY id')
    const isReplayed = async () => expect(await replayed(service)).toEqual(wanted)
    await proven(() => vi.waitFor(isReplayed, { timeout: 180_000, interval: 500 }))
    await service.stop()
    await expect.poll(() => capturesOf(service.pid), POLL).toEqual([])
  })
})

/** The rows that follow from the events. Each event must fit the rows before it, so none is missing or there twice. */
async function replayed({ base }: ServiceProcess): Promise<{ id: number; v: number }[]> {
  const rows = new Map<number, { id: number; v: number }>()
  const answer = await fetch(`${base}/v3/namespaces/default/streams/env1-public-t/events?limit=1000000`)
  for (const { body } of (await answer.json()) as { body: string }[]) {
    if (body === '') continue
    const { op, before, after } = JSON.parse(body) as Record<
      'before' | 'after',
      { id: number; v: number } | null
    > & { op: string }
    if (before !== null) expect(rows.get(before.id), body).toEqual(before)
    else if (op === 'c' || op === 'r') expect(rows.has(after!.id), body).toBe(false)
    if (op === 't') rows.clear()
    if (before !== null) rows.delete(before.id)
    if (after !== null) rows.set(after.id, after)
  }
  return [...rows.values()].sort((one, other) => one.id - other.id)
}

function post({ base }: ServiceProcess, path: string, fields: Record<string, string>): Promise<Response> {
  return fetch(`${base}/${path}`, { method: 'POST', body: new URLSearchParams(fields) })
}

/** The capture processes that this service has started. */
function capturesOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(join('/proc', name, 'status'), 'utf8'))?.[1]
        return (
          Number(parent) === pid &&
          readFileSync(join('/proc', name, 'cmdline'), 'utf8').includes('capture-process')
        )
      } catch {
        return false // it has ended
      }
    })
    .map(Number)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
