/** Jobs that move to another node. The nodes share a store in memory, and states are files. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { KafkaConfig } from '../../src/kafka-config.ts'
import { createJob, createTable, detailOf } from '../support/aiven.ts'
import { serves, type TestNode, testNodes } from '../support/nodes.ts'
import { proven } from '../support/proven.ts'
import { STREAMS } from '../support/test-app.ts'

const SCHEMA = '`n` INT'
const WITHIN = { timeout: 120_000, interval: 50 }

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-shared-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

function kafka(sharedFolder?: string): KafkaConfig {
  return {
    ...{ brokers: [], prefix: 'test', flush: false, insecure: false, spoolBytesMax: 0, pendingMs: 0 },
    ...(sharedFolder !== undefined && { sharedFolder }),
  }
}

/** Nodes a and b. A job on node a copies the numbers of stream `numbers` to stream `copied`. */
async function nodesWithJob(sharedFolder?: string) {
  const { store, start } = testNodes()
  const options = { nowMs: 1_000_000, config: { kafka: kafka(sharedFolder) } }
  const a = await start('a', { ...options, streams: ['numbers', 'copied'] })
  await serves(a)
  const table_ids = []
  for (const [name, kafka_topic] of [
    ['NumbersIn', 'numbers'],
    ['NumbersOut', 'copied'],
  ] as const)
    table_ids.push(await createTable(a, { name, kafka_topic, schema_sql: SCHEMA }))
  const statement = 'INSERT INTO NumbersOut SELECT n FROM NumbersIn'
  const job = await createJob(a, { statement, table_ids })
  await expect.poll(async () => (await detailOf(a, job)).state, WITHIN).toBe('RUNNING')
  const b = await start('b', options)
  return { store, start, options, a, b, job }
}

/** In a process of its own, as the worker of a node does. */
async function openState(path: string): Promise<() => Promise<void>> {
  const script = `
    import { DuckDBInstance } from '@duckdb/node-api'
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    await connection.run("ATTACH '${path}' AS state")
    process.stdout.write('open')
    process.stdin.once('data', () => process.exit(0))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', () => reject(new Error('the process could not open the state')))
  })
  return async () => {
    child.stdin.write('end')
    await ended
  }
}

async function send(node: TestNode, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    const answer = await node.post(`${STREAMS}/numbers`, { body: JSON.stringify({ n }) })
    expect(answer.status, answer.text).toBe(200)
  }
}

const copied = async (node: TestNode) => (await node.events('copied')).map(({ body }) => JSON.parse(body).n)
/** Waits for as many rows, or more, and counts them: each once, in order. */
async function expectCopied(node: TestNode, count: number): Promise<void> {
  await expect.poll(async () => (await copied(node)).length, WITHIN).toBeGreaterThanOrEqual(count)
  await proven(async () => expect(await copied(node)).toEqual(numbers(count)))
}
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const stateOf = async (node: TestNode, job: string) => (await detailOf(node, job)).state

test('with a shared folder a job goes on under its id when its node has died, and writes every row once', async () => {
  const { store, a, b, job } = await nodesWithJob(await folder())
  await send(a, 0, 20)
  await expectCopied(a, 20)
  await send(b, 20, 30)
  store.kill('a')
  await serves(b)
  await send(b, 30, 40)
  await expectCopied(b, 40)
  expect(await stateOf(b, job)).toBe('RUNNING')
  await a.stop().catch(() => {}) // its store is gone
})

test('a job waits while a process of the node before still has its state open', async () => {
  const shared = await folder()
  const { store, a, b, job } = await nodesWithJob(shared)
  await send(a, 0, 20)
  await expectCopied(a, 20)
  store.expire('b') // so that b does not take over yet
  store.kill('a')
  await a.stop().catch(() => {}) // its store is gone
  const letGo = await openState(join(shared, 'jobs', job, 'state.duckdb'))
  store.mend('b')
  await serves(b)
  await send(b, 20, 40)
  await expect.poll(async () => (await detailOf(b, job)).millrace.restarts, WITHIN).toBeGreaterThan(0)
  const { millrace } = await detailOf(b, job)
  expect(millrace.exceptions[0]!.message).toContain('Could not set lock on file')
  await expectCopied(b, 20)
  await letGo()
  await expectCopied(b, 40)
  expect(await stateOf(b, job)).toBe('RUNNING')
})

test('a job moves back and forth with the coordinator', async () => {
  const { store, a, b, job } = await nodesWithJob(await folder())
  let sent = 0
  for (const [holder, other] of [
    [a, b],
    [b, a],
    [a, b],
  ] as const) {
    await send(other, sent, sent + 10)
    store.expire(holder.id)
    sent += 10
    await serves(other)
    store.mend(holder.id)
    await send(holder, sent, sent + 10)
    sent += 10
    await expectCopied(other, sent)
    expect(await stateOf(holder, job)).toBe('RUNNING')
  }
})

test('without a shared folder a job waits for the node that has its state', async () => {
  const { store, a, b, job } = await nodesWithJob()
  await send(a, 0, 10)
  await expectCopied(a, 10)
  store.expire('a')
  await serves(b)
  await send(b, 10, 20)
  await expect.poll(() => stateOf(b, job), WITHIN).toBe('RESTARTING')
  const { exceptions } = (await detailOf(b, job)).millrace
  expect(exceptions.at(0)?.message ?? exceptions.at(-1)?.message).toBe(
    'the state of this job is on node a, and jobs run on node b now: it goes on when node a runs them again; ' +
      'with --shared-dir, states move with the jobs',
  )
  // A new job runs on the node that has the coordinator now.
  const id = await createJob(b, { statement: 'INSERT INTO NumbersOut SELECT n + 1000 FROM NumbersIn' })
  await expect.poll(() => stateOf(b, id), WITHIN).toBe('RUNNING')
  expect((await b.request('PATCH', `/v1/project/p/service/default/flink/proxy/v1/jobs/${id}`)).status).toBe(
    202,
  )
  store.mend('a')
  store.expire('b')
  await serves(a)
  await expect.poll(() => stateOf(a, job), WITHIN).toBe('RUNNING')
  await expect.poll(async () => (await copied(a)).filter((n) => n < 1000), WITHIN).toEqual(numbers(20))
})
