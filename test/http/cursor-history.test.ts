/**
 * Cursors over everything that may become of a store: each is continued exactly, or refused with 410. Nothing is skipped.
 *
 * The clock stands still, so that times tell no two events apart.
 */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/commands/backup.ts'
import { importEvents } from '../../src/commands/import.ts'
import { repair } from '../../src/commands/repair.ts'
import { printCursor } from '../../src/http/cdap/cursor.ts'
import { answerOf, empty } from '../support/answer.ts'
import { runCommand } from '../support/run-command.ts'
import { streamId } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { STREAMS, startTestApp, type TestApp, testApp, testOnLevelDb } from '../support/test-app.ts'

const EVENTS = `${STREAMS}/s/events`
const NOW_MS = 1_700_000_000_000
const GO_ON = `To go on, read without after, from the beginning, or with start=${NOW_MS}, the time of the event that you had last; then keep the new cursors`
const OTHER_STORE = /^the cursor is of another store: .*\. To go on, read without after, /

type RunningApp = Awaited<ReturnType<typeof startTestApp>>

async function withApp<T>(dataFolder: string, use: (app: RunningApp) => Promise<T>): Promise<T> {
  const app = await startTestApp({ dataFolder, nowMs: NOW_MS })
  try {
    return await use(app)
  } finally {
    await app.stop()
  }
}

/** Events `life-from`, …; the stream is made if it is missing. */
async function write(app: TestApp, life: string, from: number, to: number): Promise<void> {
  await app.put(`${STREAMS}/s`)
  for (let i = from; i <= to; i++)
    expect((await app.post(`${STREAMS}/s`, { body: `${life}-${i}` })).status).toBe(200)
}

/** Of each event in turn: its body, and the cursor behind it. */
async function cursorsOf(app: TestApp): Promise<[body: string, cursor: string][]> {
  return (await app.events('s', 'cursor=true')).map(({ body, cursor }) => [body, cursor!])
}

async function bodiesAfter(app: TestApp, cursor: string): Promise<string[] | string> {
  const answer = await app.get(`${EVENTS}?after=${cursor}`)
  if (answer.status === 204) return []
  if (answer.status !== 200) return `${answer.status} ${answer.text}`
  return (answer.json() as { body: string }[]).map(({ body }) => body)
}

interface Folders {
  readonly data: string
  readonly copy: string
  readonly around: string
}

/** How a second store comes about, from one with ten events that goes on to twenty. */
interface Way {
  readonly name: string
  /** With the ten events, stopped. */
  readonly before?: (folders: Folders) => Promise<unknown>
  /** While the service runs, with the ten events. */
  readonly during?: (folders: Folders, app: TestApp) => Promise<unknown>
  /** With twenty, stopped. What is then in `data` is the second store. */
  readonly after: (folders: Folders) => Promise<unknown>
  /** Of the cursors of the first store, those that are good in the second: behind this many events. */
  readonly goodUpTo: number
  readonly says: RegExp
}

const replace = async ({ data, copy }: Folders) => {
  await rm(data, { recursive: true })
  await cp(copy, data, { recursive: true })
}
const exported = ({ around }: Folders) => join(around, 's.ndjson')

const ways: readonly Way[] = [
  {
    name: 'a fresh folder',
    after: ({ data }) => rm(data, { recursive: true }),
    goodUpTo: 0,
    says: OTHER_STORE,
  },
  {
    name: 'a backup that is put back',
    before: ({ data, copy }) => runCommand(backup, ['--data', data, '--to', copy]),
    after: replace,
    goodUpTo: 0,
    says: OTHER_STORE,
  },
  {
    name: 'a copy of the stopped folder that is put back',
    before: ({ data, copy }) => cp(data, copy, { recursive: true }),
    after: replace,
    goodUpTo: 10,
    says: /^the cursor stands (at|behind) .*the store has gone back since.*\. To go on, read without after, /,
  },
  {
    name: 'a copy of the running folder that is put back',
    during: ({ data, copy }) => cp(data, copy, { recursive: true }),
    after: replace,
    goodUpTo: 10,
    says: /^the cursor stands (at|behind) .*the store has gone back since.*\. To go on, read without after, /,
  },
  {
    name: 'a repair',
    after: async (folders) => {
      const { data, copy } = folders
      await rm(copy, { recursive: true, force: true })
      expect(await runCommand(repair, ['--data', data, '--to', copy])).toMatchObject({ code: 0 })
      await replace(folders)
    },
    goodUpTo: 0,
    says: OTHER_STORE,
  },
  {
    name: 'an import into a fresh folder',
    after: async (folders) => {
      const { data } = folders
      await rm(data, { recursive: true })
      const args = ['--data', data, '--stream', 'default:s', '--file', exported(folders)]
      expect(await runCommand(importEvents, args)).toMatchObject({ code: 0 })
    },
    goodUpTo: 0,
    says: OTHER_STORE,
  },
  {
    name: 'an import into the same store, where the stream was truncated',
    after: async (folders) => {
      const { data } = folders
      await withApp(data, (app) => app.post(`${STREAMS}/s/truncate`))
      const args = ['--data', data, '--stream', 'default:s', '--file', exported(folders)]
      expect(await runCommand(importEvents, args)).toMatchObject({ code: 0 })
    },
    goodUpTo: 0,
    says: /^the events of this stream were imported since the cursor was handed out\. To go on, /,
  },
]

describe.each(ways)('after $name', ({ before, during, after, goodUpTo, says }) => {
  test('each cursor from before goes on exactly, or is refused', async () => {
    const around = await temporaryFolder()
    const folders = { around, data: join(around, 'data'), copy: join(around, 'copy') }
    await withApp(folders.data, (app) => write(app, 'first', 1, 10))
    await before?.(folders)
    const cursors = await withApp(folders.data, async (app) => {
      await during?.(folders, app)
      await write(app, 'first', 11, 20)
      await rm(exported(folders), { force: true })
      const { writeFile } = await import('node:fs/promises')
      await writeFile(exported(folders), (await app.get(`${STREAMS}/s/export`)).body)
      return cursorsOf(app)
    })
    expect(cursors.length).toBe(20)
    await after(folders)
    const looks: [when: string, prepare: (app: TestApp) => Promise<unknown>][] = [
      ['shorter', async () => {}],
      ['grown', (app) => write(app, 'second', 1, 25)],
      ['opened again', async () => {}],
    ]
    for (const [when, prepare] of looks) {
      await withApp(folders.data, async (app) => {
        await app.put(`${STREAMS}/s`)
        await prepare(app)
        const all = (await app.events('s')).map(({ body }) => body)
        for (const [i, [body, cursor]] of cursors.entries()) {
          const answer = await bodiesAfter(app, cursor)
          if (i < goodUpTo) {
            expect(answer, `${when}: after ${body}`).toEqual(all.slice(i + 1))
          } else {
            expect(answer, `${when}: after ${body}`).toMatch(/^410 /)
            expect((answer as string).slice(4), `${when}: after ${body}`).toMatch(says)
          }
        }
        // Its own are good, as ever.
        for (const [i, [, cursor]] of (await cursorsOf(app)).entries()) {
          expect(await bodiesAfter(app, cursor)).toEqual(all.slice(i + 1))
        }
        expect(app.reported).toEqual([])
      })
    }
  })
})

test('of two copies that both go on, neither believes what the other handed out since', async () => {
  const around = await temporaryFolder()
  const [one, two] = [join(around, 'one'), join(around, 'two')]
  await withApp(one, (app) => write(app, 'both', 1, 5))
  await cp(one, two, { recursive: true })
  const lives = await Promise.all(
    [one, two].map((folder) =>
      withApp(folder, async (app) => {
        await write(app, folder === one ? 'one' : 'two', 6, 9)
        return cursorsOf(app)
      }),
    ),
  )
  for (const [folder, foreign] of [
    [one, lives[1]!],
    [two, lives[0]!],
  ] as const) {
    await withApp(folder, async (app) => {
      const answers = await Promise.all(foreign.map(([, cursor]) => app.get(`${EVENTS}?after=${cursor}`)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 410, 410, 410, 410])
    })
  }
})

test('every request with a cursor is refused alike', async () => {
  const around = await temporaryFolder()
  const data = join(around, 'data')
  const [, cursor] = await withApp(data, async (app) => {
    await write(app, 'first', 1, 3)
    return (await cursorsOf(app))[1]!
  })
  await rm(data, { recursive: true })
  await withApp(data, async (app) => {
    await write(app, 'second', 1, 5)
    const answers = await Promise.all([
      app.get(`${EVENTS}?after=${cursor}`),
      app.get(`${EVENTS}?after=${cursor}&limit=1&cursor=true`),
      app.get(`${EVENTS}?after=${cursor}&start=0`, { headers: { Accept: 'application/x-ndjson' } }),
      app.get(`/v2/streams/s/events?after=${cursor}`),
      app.get(`${STREAMS}/s/export?after=${cursor}`),
      app.post(`${STREAMS}/s/try-format?after=${cursor}`),
    ])
    const [first] = answers.map(({ status, headers, text }) => [status, headers['content-type'], text])
    expect(first).toEqual([
      410,
      'text/plain; charset=utf-8',
      'the cursor is of another store: this one was made anew, or restored or repaired from it, since the cursor was ' +
        `handed out. ${GO_ON}`,
    ])
    expect(answers.map(({ status, headers, text }) => [status, headers['content-type'], text])).toEqual(
      answers.map(() => first),
    )
    expect((await app.request('HEAD', `${EVENTS}?after=${cursor}`)).status).toBe(410)
    const go = await app.get(`${EVENTS}?start=${NOW_MS}`)
    expect((go.json() as unknown[]).length).toBe(5)
  })
})

test('cursors and links hold over stops, truncation and expiry, whichever opening wrote the events', async () => {
  const data = join(await temporaryFolder(), 'data')
  const kept: string[] = []
  for (let opening = 0; opening < 5; opening++) {
    await withApp(data, async (app) => {
      await write(app, 's', 3 * opening + 1, 3 * opening + 3)
      const cursors = await cursorsOf(app)
      // The text of a cursor stays, too.
      expect(cursors.slice(0, kept.length).map(([, cursor]) => cursor)).toEqual(kept)
      kept.splice(0, kept.length, ...cursors.map(([, cursor]) => cursor))
      const all = cursors.map(([body]) => body)
      for (const [i, cursor] of kept.entries())
        expect(await bodiesAfter(app, cursor)).toEqual(all.slice(i + 1))
      for (let limit = 1; limit < all.length; limit++) {
        const { headers } = await app.get(`${EVENTS}?limit=${limit}`)
        expect(headers.link).toContain(`after=${kept[limit - 1]}>`)
      }
      const last = JSON.parse((await app.get(`${STREAMS}/s/export`)).text.trimEnd().split('\n').at(-1)!)
      expect(last.cursor).toBe(kept.at(-1))
    })
  }
  await withApp(data, async (app) => {
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":1}' })
    app.nowMs += 2000
    await app.tidy()
    for (const cursor of kept) expect(await bodiesAfter(app, cursor)).toEqual([])
    await write(app, 'later', 1, 2)
    for (const cursor of kept) expect(await bodiesAfter(app, cursor)).toEqual(['later-1', 'later-2'])
  })
  await withApp(data, async (app) => {
    await app.post(`${STREAMS}/s/truncate`)
    await write(app, 'anew', 1, 2)
    for (const cursor of kept) expect(await bodiesAfter(app, cursor)).toEqual(['anew-1', 'anew-2'])
  })
})

describe('a cursor of 27 characters, from before a cursor named its store', () => {
  const id = streamId('s')
  const old = (log: number, sequence: number, timestampMs: number) =>
    printCursor(id, { log, position: { sequence, timestampMs } })
  const isRefused = (answer: unknown) =>
    typeof answer === 'string' && answer.startsWith('410 the cursor stands ')

  /** Log 1 of stream s with events at NOW_MS + 0, 10, 20 …, in blocks that the janitor has joined in part. */
  async function oldApp(): Promise<TestApp> {
    const app = await testApp({ onDisk: true, nowMs: NOW_MS })
    for (let i = 0; i < 10; i++) {
      app.nowMs = NOW_MS + 10 * i
      await write(app, 's', i, i)
    }
    return app
  }

  testOnLevelDb('goes on where it is right, and nowhere else', async () => {
    const app = await oldApp()
    const all = (await app.events('s')).map(({ body }) => body)
    for (let i = 0; i < 10; i++) {
      const right = NOW_MS + 10 * i
      expect(old(1, i, right)).toMatch(/^[A-Za-z0-9_-]{27}$/)
      expect(await bodiesAfter(app, old(1, i, right))).toEqual(all.slice(i + 1))
      for (const ms of [right - 10, right - 1, right + 1, right + 10, 0]) {
        expect(await bodiesAfter(app, old(1, i, ms)), `${i} at ${ms}`).toSatisfy(isRefused)
      }
      expect(await bodiesAfter(app, old(2, i, right))).toSatisfy(isRefused)
    }
    for (const sequence of [10, 11, 2 ** 40]) {
      expect(await bodiesAfter(app, old(1, sequence, NOW_MS + 90))).toSatisfy(isRefused)
    }
    await app.tidy()
    await app.restart()
    for (let i = 0; i < 10; i++)
      expect(await bodiesAfter(app, old(1, i, NOW_MS + 10 * i))).toEqual(all.slice(i + 1))
  })

  test('stands before everything once the stream was truncated, or its event has expired', async () => {
    const app = await oldApp()
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":1}' })
    app.nowMs = NOW_MS + 1045
    await app.tidy()
    expect(await bodiesAfter(app, old(1, 2, NOW_MS + 20))).toEqual(['s-5', 's-6', 's-7', 's-8', 's-9'])
    await app.post(`${STREAMS}/s/truncate`)
    expect(answerOf(await app.get(`${EVENTS}?after=${old(1, 2, NOW_MS + 20)}`))).toEqual(empty(204))
    await write(app, 'new', 1, 2)
    expect(await bodiesAfter(app, old(1, 9, NOW_MS + 90))).toEqual(['new-1', 'new-2'])
  })

  test('of a stream without events is refused', async () => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
    expect(await bodiesAfter(app, old(1, 0, NOW_MS))).toSatisfy(isRefused)
  })
})
