/**
 * What jobs need fails behind their backs: their source is truncated, deleted or expires, their state is
 * damaged or of another moment. A job fails with a sentence or goes on with the right rows; other jobs go on.
 */

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { type FlinkClient, streamPath } from './jobs/flink-client.ts'
import { INPUT } from './jobs/input.ts'
import { JOBS } from './jobs/job-set.ts'
import { signalTo, workerOf } from './jobs/processes.ts'
import { Scene, SEED } from './jobs/scene.ts'

const TIMEOUT_MS = 300_000
const FLIPS = effort({ short: 6, long: 40 })

async function called(client: FlinkClient, method: string, path: string, body?: unknown): Promise<void> {
  await client.call(method, `${streamPath(INPUT)}${path}`, body)
}

const gaps: readonly {
  readonly name: string
  readonly change: (scene: Scene) => Promise<void>
  readonly sentence: RegExp
}[] = [
  {
    name: 'truncated',
    change: async ({ client }) => called(client, 'POST', '/truncate'),
    sentence: /^the events after \d+ of stream events are gone .* the stream was truncated or created again;/,
  },
  {
    name: 'truncated, and others written',
    change: async (scene) => {
      await called(scene.client, 'POST', '/truncate')
      await scene.post(500)
    },
    sentence: /^the events after \d+ of stream events are gone .* the stream was truncated or created again;/,
  },
  {
    name: 'deleted',
    change: ({ client }) => called(client, 'DELETE', ''),
    sentence: /^stream events of table EV does not exist$/,
  },
  {
    name: 'deleted and created again',
    change: async (scene) => {
      await called(scene.client, 'DELETE', '')
      await scene.client.createStream(INPUT)
      await scene.post(500)
    },
    sentence: /^the events after \d+ of stream events are gone .* the stream was truncated or created again;/,
  },
  {
    name: 'expired',
    change: async (scene) => {
      await scene.post(100)
      await called(scene.client, 'PUT', '/properties', { ttl: 1 })
      await delay(2_500)
      await scene.post(10)
    },
    sentence: /^(events \d+ to|the events after) \d+ of stream events are gone .* they have expired;/,
  },
]

test.for(gaps)(
  'the source of jobs that are down is $name',
  { timeout: TIMEOUT_MS },
  async ({ change, sentence }) => {
    const scene = await Scene.begin(['arrival', 'TUMBLE', 'running'])
    await scene.committed()
    const worker = workerOf(scene.service.pid)
    signalTo(worker, 'SIGSTOP')
    await scene.post(20)
    await change(scene)
    signalTo(worker, 'SIGKILL')
    const rows = (await scene.client.events('filtered')).length
    for (const [job, id] of scene.ids) {
      const { state, error } = await untilEnded(scene.client, id)
      expect(`${job} ${state}`).toBe(`${job} FAILED`)
      expect(error).toMatch(sentence)
    }
    const after = (await scene.client.events('filtered')).length
    await proven(() => expect(after, 'no row is written past the gap').toBe(rows))
  },
)

async function untilEnded(client: FlinkClient, id: string, timeoutMs = 120_000) {
  for (const endMs = Date.now() + timeoutMs; ; await delay(50)) {
    const seen = await client.seen(id)
    if (seen.state === 'FAILED' || Date.now() > endMs) return seen
  }
}

test('a state file of an older moment than the store fails the job', { timeout: TIMEOUT_MS }, async () => {
  const scene = await Scene.begin(['arrival', 'running', 'statement set'])
  await scene.post(200)
  await scene.settled()
  await scene.service.kill()
  const older = await temporaryFolder()
  cpSync(scene.state('running'), older, { recursive: true })
  await scene.startAgain()
  for (let i = 0; i < 3; i++) {
    await scene.post(200)
    await scene.settled()
  }
  await scene.service.kill()
  rmSync(scene.state('running'), { recursive: true })
  cpSync(older, scene.state('running'), { recursive: true })
  await scene.startAgain()
  const { state, error } = await untilEnded(scene.client, scene.ids.get('running')!)
  expect(state).toBe('FAILED')
  expect(error).toMatch(
    /^sink is at epoch \d+, state at \d+: they are not from the same moment; restore both, or start with another state$/,
  )
  await scene.post(100)
  await scene.settled(JOBS.filter(({ name }) => ['arrival', 'statement set'].includes(name)))
})

test('a flipped byte in a state file: a clear failure or right rows, and other jobs go on', {
  timeout: TIMEOUT_MS + FLIPS * 60_000,
}, async () => {
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED)
  const scene = await Scene.begin(['arrival', 'TUMBLE', 'statement set'])
  for (let i = 0; i < 4; i++) {
    await scene.post(400)
    await scene.settled()
  }
  await scene.service.kill()
  const original = join(await temporaryFolder(), 'data')
  cpSync(scene.folder, original, { recursive: true })
  const acknowledged = scene.acknowledged.length
  const outcomes = { failed: 0, 'went on with right rows': 0 }
  const others = JOBS.filter(({ name }) => ['arrival', 'statement set'].includes(name))
  for (let flip = 0; flip < FLIPS; flip++) {
    rmSync(scene.folder, { recursive: true })
    cpSync(original, scene.folder, { recursive: true })
    scene.acknowledged.length = acknowledged
    const file = join(scene.state('TUMBLE'), random.pick(['state.duckdb', 'state.duckdb.wal']))
    const bytes = readFileSync(file)
    const at = random.whole(0, bytes.length - 1)
    bytes[at]! ^= 1 << random.whole(0, 7)
    writeFileSync(file, bytes)
    await scene.startAgain()
    const why = `seed ${SEED}, flip ${flip} of ${file} at ${at} of ${bytes.length}`
    await scene.post(800)
    await scene.settled(others).catch((error) => {
      throw new Error(`${why}: other jobs do not go on: ${error.message}`)
    })
    const failure = await scene.failedOrSettled('TUMBLE').catch((wrong) => {
      throw new Error(`${why}: ${wrong.message}`)
    })
    outcomes[failure === undefined ? 'went on with right rows' : 'failed']++
    if (failure !== undefined)
      expect(failure, why).toMatch(/^the state file .* is damaged: |are not from the same moment/)
    await scene.service.kill()
  }
  tellProof('jobs, flipped bytes', { flips: FLIPS, ...outcomes, 'wrong rows': 0 })
})
