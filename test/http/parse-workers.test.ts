/** Who parses when, and what becomes of what takes too long. Threads are played here; fairness-loop.test.ts has real ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { FromWorker, ParsePort } from '../../src/http/messages/parse-port.ts'
import type { DocumentTask, ParseTask } from '../../src/http/messages/parse-task.ts'
import { TooSlowError, Workers } from '../../src/http/messages/parse-workers.ts'

const MIB = 1024 * 1024

/** A thread that finishes a task when the test calls it. */
class PlayedPort implements ParsePort {
  task: ParseTask | undefined
  isClosed = false
  #tell: (message: FromWorker) => void = () => {}
  #end: (error: unknown) => void = () => {}

  post(task: ParseTask): void {
    this.task = task
  }

  listen(onMessage: (message: FromWorker) => void, onEnded: (error: unknown) => void): void {
    this.#tell = onMessage
    this.#end = onEnded
    onMessage({ kind: 'ready' })
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  finish(): void {
    const name = nameOf(this.task!)
    this.task = undefined
    this.#tell({ kind: 'done', result: name })
  }

  fail(code: string): void {
    this.#end(Object.assign(new Error('ended'), { code }))
  }
}

function workersOf(taskMs = 10_000): { workers: Workers; ports: PlayedPort[] } {
  const ports: PlayedPort[] = []
  const openPort = () => {
    const port = new PlayedPort()
    ports.push(port)
    return port
  }
  const workers = new Workers({ maxDocumentBytes: MIB, taskMs, openPort })
  onTestFinished(() => workers.close())
  return { workers, ports }
}

function task(name: string, bytes = 1): DocumentTask {
  return {
    kind: 'document',
    api: 'cdap',
    parser: 'view',
    body: new Uint8Array(bytes),
    depthMax: 1,
    more: [name],
  }
}

function nameOf(task: ParseTask): unknown {
  return task.kind === 'document' ? task.more[0] : 'preview'
}

const preview: ParseTask = {
  kind: 'preview',
  format: { name: 'text', schema: '', settings: new Map() },
  events: [],
}

test('a client has one task under way, and clients take turns', async () => {
  const { workers, ports } = workersOf()
  const done: unknown[] = []
  const run = (client: string, name: string) =>
    workers.run(client, task(name)).then((result) => done.push(result))
  const all = ['a1', 'a2', 'a3'].map((name) => run('a', name))
  all.push(run('b', 'b1'), run('b', 'b2'), run('c', 'c1'))
  const underWay = () => ports.map(({ task }) => task && nameOf(task))
  expect(underWay()).toEqual(['a1', 'b1'])
  ports[0]!.finish()
  await sleep(0)
  expect(underWay()).toEqual(['c1', 'b1'])
  ports[0]!.finish()
  await sleep(0)
  expect(underWay()).toEqual(['a2', 'b1'])
  for (let i = 0; i < 8; i++) {
    for (const port of ports) if (port.task !== undefined) port.finish()
    await sleep(0)
  }
  await Promise.all(all)
  expect(done.sort()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1'])
  expect(ports).toHaveLength(2)
})

test('what takes too long is over, and the next task has a new thread', async () => {
  const { workers, ports } = workersOf(50)
  await expect(workers.run('a', task('slow'))).rejects.toMatchObject({
    code: 'invalid_properties',
    message: 'the document takes longer than 50 ms to read; use a shorter one, or a simpler pattern',
  })
  await expect(workers.run('a', preview)).rejects.toBeInstanceOf(TooSlowError)
  const next = workers.run('a', task('quick'))
  ports.at(-1)!.finish()
  expect(await next).toBe('quick')
  expect(ports.map(({ isClosed }) => isClosed)).toEqual([true, true, false])
})

test('what takes too much memory is refused', async () => {
  const { workers, ports } = workersOf()
  const large = workers.run('a', task('large'))
  ports[0]!.fail('ERR_WORKER_OUT_OF_MEMORY')
  await expect(large).rejects.toMatchObject({ code: 'document_too_large' })
  const next = workers.run('a', task('small'))
  ports[1]!.finish()
  expect(await next).toBe('small')
})

test('beyond the bytes that may wait the client with most gives back its newest', async () => {
  const { workers, ports } = workersOf()
  const outcomes = new Map<string, string>()
  const run = (client: string, name: string, bytes: number) => {
    let work: Promise<unknown>
    try {
      work = workers.run(client, task(name, bytes))
    } catch (error) {
      work = Promise.reject(error)
    }
    return work.then(
      () => outcomes.set(name, 'done'),
      ({ code }) => outcomes.set(name, code),
    )
  }
  const all = [1, 2, 3, 4].map((i) => run('greedy', `g${i}`, 4 * MIB))
  all.push(run('greedy', 'g5', MIB), run('honest', 'h', MIB))
  for (let i = 0; i < 8; i++) {
    await sleep(0)
    for (const port of ports) if (port.task !== undefined) port.finish()
  }
  await Promise.all(all)
  expect(Object.fromEntries(outcomes)).toEqual({
    g1: 'done',
    g2: 'done',
    g3: 'done',
    g4: 'overloaded',
    g5: 'overloaded',
    h: 'done',
  })
})

test('a client that has gone is not worked for', async () => {
  const { workers, ports } = workersOf()
  const first = workers.run('a', task('first'))
  let hasGone = false
  const second = workers.run('a', task('second'), () => hasGone)
  hasGone = true
  ports[0]!.finish()
  expect(await first).toBe('first')
  await expect(second).rejects.toMatchObject({ code: 'malformed_body' })
  expect(ports[0]!.task).toBeUndefined()
})
