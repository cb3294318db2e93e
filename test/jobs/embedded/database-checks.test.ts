/** Clients share the connections that check database tables: databases of one that do not answer refuse only its own statements. */
import { createServer, type Server, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { DatabaseChecks } from '../../../src/jobs/embedded/database-checks.ts'
import type { JobPlan } from '../../../src/jobs/plan/job-plan.ts'
import type { ConnectedTable } from '../../../src/jobs/worker/job-worker-protocol.ts'
import { POLL } from '../../support/speeds.ts'

/** A server that takes connections and does with them what `take` says. */
async function serverWith(take: (socket: Socket) => void): Promise<{ port: number; open: Set<Socket> }> {
  const open = new Set<Socket>()
  const server: Server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    take(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, open }
}

const PLAN = {
  lookups: [],
  fixed: [],
  inserts: [{ sink: { tableId: 't', tableName: 'T', columns: [], primaryKey: [] } }],
} as unknown as JobPlan

const tableAt = (port: number): ConnectedTable => ({
  ...{ id: 't', name: 'T', integrationId: `at ${port}`, physical: [], primaryKey: [], stream: undefined },
  connector: { kind: 'jdbc', tableName: 't', schema: undefined, table: 't' } as never,
  access: { kind: 'postgres', connectionUri: `postgres://u:p@127.0.0.1:${port}/d?sslmode=disable` },
})

test('databases that do not answer leave connections to other clients, and few statements wait', async () => {
  const silent = await serverWith(() => {})
  const gone = await serverWith((socket) => socket.destroy())
  const checks = new DatabaseChecks()
  const contacts: string[] = []
  const run = (client: string, port: number) =>
    checks.run(
      PLAN,
      [tableAt(port)],
      (id, problem) => contacts.push(`${id}: ${problem !== undefined}`),
      client,
    )
  const greedy = Array.from({ length: 16 }, () => run('greedy', silent.port))
  await expect(run('greedy', gone.port)).rejects.toMatchObject({
    code: 'overloaded',
    message: 'the database tables of 16 statements are being checked already; try again later',
  })
  await expect.poll(() => silent.open.size, POLL).toBe(7)
  expect(await run('honest', gone.port)).toEqual([])
  expect(contacts).toEqual([`at ${gone.port}: true`])
  expect(silent.open.size).toBe(7)
  const end = setInterval(() => {
    for (const socket of silent.open) socket.destroy()
  }, 5)
  expect(await Promise.all(greedy)).toEqual(greedy.map(() => []))
  clearInterval(end)
  expect(await run('greedy', gone.port)).toEqual([])
})
