/**
 * The coordinator stands still (SIGSTOP) between the decision about a change and its commit, for longer than its lease. Another node takes
 * over and changes the same document. When the first one goes on, its change must not replace that one. Without the condition on
 * the term it has to be seen that it does.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { send, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { MarkedPause } from '../../support/marked-pause.ts'
import { proven } from '../../support/proven.ts'

const ROUNDS = effort({ short: 1, long: 5 })
/** The process is stopped in it. */
const PAUSE_MS = 1_500
/** After the pause: the node has its heartbeat acknowledged again, so it takes commits. */
const LIVE_AGAIN_MS = 4_000
const TAGS = `${streamPath('s')}/metadata/tags`

const WITHOUT_TERM: readonly Alteration[] = [
  {
    file: 'coordinator-term.js',
    from: 'await catalog.commit(changes, [...conditions, condition])',
    to: 'await catalog.commit(changes, conditions)',
  },
]

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`a coordinator that stands still ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  }, 600_000)
  afterAll(() => kafka?.remove())

  /** Returns the tags that a node reads in the end. */
  async function round(alterations: readonly Alteration[]) {
    const pause = await MarkedPause.of(PAUSE_MS)
    const from = 'await this.#catalog.commit([metadataChange(key, changed)])'
    const isPaused = `if (changed.tags.includes('late'))`
    const cli = await alteredBuild([
      ...alterations,
      {
        file: 'metadata/metadata.js',
        from,
        to: `${isPaused} { ${pause.code} await new Promise((resolve) => setTimeout(resolve, ${LIVE_AGAIN_MS})) }
        ${from}`,
      },
    ])
    const prefix = kafka.newPrefix()
    const first = await startNode({ kafka, prefix, cli })
    await sendUntilDone(first.port, 'PUT', streamPath('s'))
    await sendUntilDone(first.port, 'POST', TAGS, { body: '["early"]' })
    const next = await startNode({ kafka, prefix })
    const late = send(first.port, 'POST', TAGS, { body: '["late"]' })
    await pause.begun(30_000)
    first.service.signal('SIGSTOP')
    const stoppedMs = performance.now()
    await sendUntilDone(next.port, 'POST', TAGS, { body: '["of the next"]' })
    const silenceMs = performance.now() - stoppedMs
    first.service.signal('SIGCONT')
    const { status, text } = await late
    await delay(2_000)
    // The node that has not been altered reads it from the catalog again.
    await next.service.kill()
    const again = await startNode({ kafka, prefix, folder: next.folder })
    const tags = await sendUntilDone(again.port, 'GET', `${TAGS}?scope=user`)
    for (const node of [first, again]) await node.service.kill()
    return { status, text, tags, silenceMs }
  }

  test('does not replace what the next one has written', async () => {
    const counts = { rounds: ROUNDS, refused: 0, replaced: 0, 'takeover s': 0 }
    for (let i = 0; i < ROUNDS; i++) {
      const { status, text, tags, silenceMs } = await round([])
      if (status === 503) counts.refused++
      if (!tags.includes('of the next') || tags.includes('late')) counts.replaced++
      counts['takeover s'] = Math.max(counts['takeover s'], Math.ceil(silenceMs / 1000))
      await proven(() => expect([status, text, counts.replaced]).toEqual([503, expect.any(String), 0]))
    }
    tellProof('a coordinator that stands still', counts)
  })

  test('control: without the condition on the term it does', async () => {
    const { tags } = await round(WITHOUT_TERM)
    expect(tags).toContain('late')
    expect(tags).not.toContain('of the next')
  })
})
