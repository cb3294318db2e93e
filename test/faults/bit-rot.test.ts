/**
 * Bit rot: one byte of a data folder is flipped, at every k-th offset of every file. Whatever is read then is what was written:
 * everything, or an error that names the stream and the place, or a refusal to start. Altered bytes are never served, and
 * events are never missing without a word. `millrace verify` finds every flip in a file that LevelDB reads.
 *
 * Two states of the same store: stopped, and killed, where all that was written last is in LevelDB's log. There the very
 * last write is the one place where a flip looks the same as a power cut: the service says so when it starts.
 *
 * LevelDB may meet a damaged table with an assertion that ends the process. Then the next start refuses, and says why.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verify } from '../../src/commands/verify.ts'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { runCommand } from '../support/run-command.ts'
import { makeSampleStore, openStore, SAMPLE_START_MS } from '../support/sample-store.ts'
import { sharedFolder } from '../support/shared-folder.ts'

/** Over all files of one state. */
const FLIPS = effort({ short: 60, long: 1_200 })
/** In the last bytes of a write-ahead log, which are the hard part. */
const LAST_BYTES = 200
const LAST_FLIPS = effort({ short: 8, long: 200 })
const NOW_MS = SAMPLE_START_MS + 9_000_000

const STREAMS = [
  ['default', 'singles'],
  ['default', 'batches'],
  ['default', 'trickle'],
  ['default', 'short'],
  ['default', 'emptied'],
  ['default', 'never'],
  ['weather', 'rain'],
] as const

/** Files that are never read back: LevelDB's log for operators, and its lock. */
const UNREAD = /^store\/(LOG|LOG\.old|LOCK)$/

const around = sharedFolder()
const stopped = join(around.path, 'stopped')
const killed = join(around.path, 'killed')
const victim = join(around.path, 'victim')

beforeAll(async () => {
  await makeSampleStore(stopped)
  // Open, written to, and copied as it is: that is what kill -9 leaves.
  const running = join(around.path, 'running')
  cpSync(stopped, running, { recursive: true })
  const store = await openStore(running, NOW_MS)
  for (let i = 0; i < 40; i++) {
    for (const { id } of store.registry.allStreams()) {
      if (id.stream === 'never') continue
      await store.streams.append(store.streams.get(id), {
        headers: [['i', `${i}`]],
        body: Buffer.from(`while running ${i}`),
      })
    }
  }
  cpSync(running, killed, { recursive: true })
  await store.storage.close()
})

/** What became of the flips. */
type Outcome = 'refused' | 'named' | 'remarked' | 'unharmed' | 'died, then refused'

test.each([
  { state: 'stopped', source: stopped },
  { state: 'killed', source: killed },
])('of a store that was $state nothing altered is served', async ({ state, source }) => {
  renewVictim(source)
  const whole = await served()
  expect([whole?.refusal, whole?.reports]).toEqual([undefined, []])
  const originals = whole!.exports.map(({ text }) => text)

  const files = filesIn(source)
  const total = files.reduce((sum, file) => sum + readFileSync(join(source, file)).length, 0)
  const counts: Record<Outcome, number> = {
    refused: 0,
    named: 0,
    remarked: 0,
    unharmed: 0,
    'died, then refused': 0,
  }
  let flips = 0
  for (const file of files) {
    const original = readFileSync(join(source, file))
    const share = Math.max(4, Math.round((FLIPS * original.length) / total))
    for (const offset of offsetsIn(original.length, share, file.endsWith('.log'))) {
      const mask = 1 << ((flips + offset) % 8)
      const bytes = Buffer.from(original)
      bytes[offset]! ^= mask
      renewVictim(source)
      writeFileSync(join(victim, file), bytes)
      const flip = `${file} at ${offset}, bits ${mask.toString(16)}`
      const outcome = await proven(() => judged(flip, file, originals))
      counts[outcome]++
      flips++
    }
  }
  tellProof(`bit rot, ${state}`, { flips, ...counts })
  expect(flips).toBeGreaterThan(FLIPS / 2)
  expect([counts.refused, counts.named].map((count) => count > 0)).toEqual([true, true])
})

/** Evenly over the file; of a write-ahead log the end, too. */
function offsetsIn(length: number, count: number, isLog: boolean): Set<number> {
  const step = Math.max(1, length / count)
  const even = Array.from({ length: Math.ceil(length / step) }, (_, i) => Math.floor(i * step))
  const last = Math.max(0, length - LAST_BYTES)
  const end = Array.from({ length: LAST_FLIPS }, (_, i) => last + Math.floor((i * LAST_BYTES) / LAST_FLIPS))
  return new Set([...even, ...(isLog ? end : [])].filter((offset) => offset < length))
}

/** What becomes of the victim; fails if that is anything but allowed. `originals` are the exports of the streams, undamaged. */
async function judged(name: string, file: string, originals: readonly string[]): Promise<Outcome> {
  const { code, printed } = await runCommand(verify, ['--data', victim])
  if (!UNREAD.test(file)) expect(code, `verify: ${name}\n${printed}`).not.toBe(0)

  const first = await served()
  const { refusal, reports, exports } = first ?? (await served())!
  if (refusal !== undefined) {
    expect(refusal.message, name).toContain(victim)
    expect(code, name).not.toBe(0)
    expect(['corrupt', 'format', 'unavailable'], name).toContain(refusal.code)
    return first === undefined ? 'died, then refused' : 'refused'
  }
  expect(first, `${name}: died, and came up again`).toBeDefined()
  const remarks = reports.filter(({ remark }) => remark !== undefined)
  let named = 0
  for (const [i, original] of originals.entries()) {
    const { status, text, whole } = exports[i]!
    if (status === 200 && whole && text === original) continue
    const stream = STREAMS[i]!.join(':')
    if (status === 200 && whole) {
      // Only the last write may be missing, and then the service's log says so.
      const told = {
        remark: expect.stringMatching(/^the last write in store\/\d+\.log, at byte \d+, is not whole/),
      }
      expect(remarks, `${name}: ${stream}`).toContainEqual(told)
      expect(eventLinesOf(original).startsWith(eventLinesOf(text)), `${name}: ${stream}`).toBe(true)
      continue
    }
    named++
    const place = new RegExp(`stream ${stream}, log \\d+(, sequence \\d+)?: `)
    if (status === 200) {
      // It was under way: what has been sent is right, the connection is cut, and the service's log names the place.
      expect(original.startsWith(text), `${name}: ${stream}`).toBe(true)
      expect(reports, `${name}: ${stream}`).toContainEqual({ error: expect.stringMatching(place) })
    } else {
      expect([status, text], `${name}: ${stream}`).toEqual([500, expect.stringMatching(place)])
    }
  }
  if (named > 0 || remarks.length > 0) expect(code, name).toBe(1)
  if (named > 0) return 'named'
  return remarks.length > 0 ? 'remarked' : 'unharmed'
}

function eventLinesOf(text: string): string {
  return text.replace(/\{"end":.*\n$/, '')
}

interface Served {
  readonly refusal?: { readonly code: string; readonly message: string }
  readonly reports: readonly { readonly remark?: string; readonly error?: string }[]
  /** Of each of STREAMS. */
  readonly exports: readonly {
    readonly status: number
    readonly text: string
    /** Whether the answer ended as it should. */
    readonly whole: boolean
  }[]
}

let worker: ChildProcess | undefined

/** What the service made of the victim; undefined if its process died of it. */
function served(): Promise<Served | undefined> {
  worker ??= fork(fileURLToPath(new URL('serving-worker.mjs', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const asked = worker
  return new Promise((resolve) => {
    const onExit = () => {
      worker = undefined
      resolve(undefined)
    }
    asked.once('exit', onExit)
    asked.once('message', (message) => {
      asked.off('exit', onExit)
      resolve(message as Served)
    })
    asked.send({ folder: victim, streams: STREAMS, nowMs: NOW_MS })
  })
}

afterAll(() => {
  worker?.kill('SIGKILL')
})

function renewVictim(source: string): void {
  rmSync(victim, { recursive: true, force: true })
  for (const file of filesIn(source)) {
    mkdirSync(dirname(join(victim, file)), { recursive: true })
    copyFileSync(join(source, file), join(victim, file))
  }
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
}
