/** Queries of several clients: no client delays another, and no query runs for ever. */
import { describe, expect, test } from 'vitest'
import { ended, handleOf, QUERIES, submit } from '../support/explore.ts'
import { type TestAppOptions, testApp } from '../support/test-app.ts'
import { ALL, tokenFile } from '../support/tokens.ts'

/** Runs until its time limit, and can be interrupted. */
const ENDLESS = 'SELECT count(*) FROM range(1000000000000) WHERE range%7=3'

async function shared(limits: TestAppOptions['limits'] = {}) {
  const names = ['honest', 'greedy', 'third']
  const tokens = await tokenFile(names.map((name) => ({ name, grants: [ALL] })))
  const app = await testApp({ config: { authFile: tokens.path }, limits })
  const as = (name: string) => ({ headers: tokens.bearer(name) })
  const status = async (name: string, handle: string) => {
    const answer = await app.get(`${QUERIES}/${handle}/status`, as(name))
    return answer.status === 200
      ? (answer.json() as { status: string; errorMessage?: string })
      : { status: '404' }
  }
  return {
    app,
    as,
    status,
    ask: (name: string, query: string) => handleOf(app, query, {}, as(name)),
    close: (name: string, handle: string) => app.delete(`${QUERIES}/${handle}`, as(name)),
    /** Submits it and waits for its rows. */
    async answer(name: string, query: string) {
      const handle = await handleOf(app, query, {}, as(name))
      expect(await ended(app, handle, as(name)), query).toMatchObject({ status: 'FINISHED' })
      const page = await app.post(`${QUERIES}/${handle}/next`, as(name))
      await app.delete(`${QUERIES}/${handle}`, as(name))
      return (page.json() as { columns: unknown[] }[]).map(({ columns }) => columns)
    },
    async running(name: string, handle: string) {
      await expect.poll(async () => (await status(name, handle)).status, { timeout: 10_000 }).toBe('RUNNING')
    },
  }
}

describe('time', () => {
  test('a query that exceeds its time limit ends with an error, and another runs', async () => {
    const { app, as, ask, answer } = await shared({ maxQuerySeconds: 1 })
    const handle = await ask('greedy', ENDLESS)
    expect(await ended(app, handle, as('greedy'))).toEqual({
      status: 'ERROR',
      hasResults: false,
      sqlState: '57014',
      errorMessage:
        'the query ran for 1 seconds, which is as long as one may (--max-query-seconds); ask for less at a time',
    })
    expect(await answer('greedy', 'SELECT 1')).toEqual([[1]])
    expect(app.reported).toEqual([])
  })

  test('waiting does not count as running', async () => {
    const { app, as, ask, close } = await shared({ maxQuerySeconds: 2 })
    const first = [await ask('greedy', ENDLESS), await ask('greedy', ENDLESS)]
    const waits = await ask('greedy', 'SELECT 7')
    for (const handle of first) {
      await ended(app, handle, as('greedy'))
      await close('greedy', handle)
    }
    expect(await ended(app, waits, as('greedy'))).toMatchObject({ status: 'FINISHED' })
  })
})

describe('permits', () => {
  test('two endless queries of one client do not delay another client, and run on', async () => {
    const { ask, answer, running, status } = await shared()
    const endless = [await ask('greedy', ENDLESS), await ask('greedy', ENDLESS)]
    for (const handle of endless) await running('greedy', handle)
    const waiting = await ask('greedy', 'SELECT 2')
    for (let i = 0; i < 5; i++) expect(await answer('honest', 'SELECT 1')).toEqual([[1]])
    for (const handle of endless) expect((await status('greedy', handle)).status).toBe('RUNNING')
    expect((await status('greedy', waiting)).status).toBe('INITIALIZED')
  })

  test('a client alone may use two, and a client with several loses one to a client without any', async () => {
    const { ask, answer, running, status, close } = await shared()
    const older = await ask('greedy', ENDLESS)
    const younger = await ask('greedy', ENDLESS)
    await running('greedy', younger)
    const third = await ask('third', ENDLESS)
    await running('third', third)
    expect(await answer('honest', 'SELECT 1')).toEqual([[1]])
    expect((await status('greedy', older)).status).toBe('RUNNING')
    expect((await status('greedy', younger)).status).toBe('INITIALIZED')
    expect((await status('third', third)).status).toBe('RUNNING')
    await close('third', third)
    await running('greedy', younger)
  })

  test('a query that is closed while it waits uses nothing', async () => {
    const { ask, close, running, answer } = await shared({ maxQueries: 4 })
    const endless = [await ask('greedy', ENDLESS), await ask('greedy', ENDLESS)]
    for (const handle of endless) await running('greedy', handle)
    for (let i = 0; i < 20; i++) await close('greedy', await ask('greedy', `SELECT ${i}`))
    const waits = await ask('greedy', 'SELECT 9')
    await close('greedy', endless[0]!)
    await running('greedy', endless[1]!)
    await close('greedy', waits)
    expect(await answer('greedy', 'SELECT 5')).toEqual([[5]])
  })
})

describe('handles', () => {
  const place =
    'another client needed a place, and this one had the most queries open; close those that are done'

  test('of a client that has them all, the one that was not used for the longest time is ended for another client', async () => {
    const { app, as, ask, answer, status } = await shared({ maxQueries: 4 })
    const handles: string[] = []
    for (let i = 0; i < 4; i++) {
      handles.push(await ask('greedy', `SELECT ${i}`))
      await ended(app, handles[i]!, as('greedy'))
      app.nowMs += 1_000
    }
    await status('greedy', handles[0]!) // asked for: now the next one is idle longest
    const refused = await submit(app, 'SELECT 5', {}, as('greedy'))
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
    expect(refused.text).toBe(
      '4 queries are open, which is as many as may be; close some, or wait until they expire',
    )
    app.nowMs += 1_000
    expect(await answer('honest', 'SELECT 1')).toEqual([[1]])
    const states = await Promise.all(handles.map((handle) => status('greedy', handle)))
    expect(states.map((state) => state.status)).toEqual(['FINISHED', 'ERROR', 'FINISHED', 'FINISHED'])
    expect(states[1]!.errorMessage).toBe(place)
  })

  test('are shared equally: a client beyond its share is refused, one within its share never', async () => {
    const { app, as, ask } = await shared({ maxQueries: 4 })
    for (let i = 0; i < 4; i++) await ask('greedy', 'SELECT 1')
    await ask('honest', 'SELECT 1')
    await ask('honest', 'SELECT 2')
    const refused = await submit(app, 'SELECT 3', {}, as('honest'))
    expect([refused.status, refused.headers['retry-after'], refused.text]).toEqual([
      503,
      '1',
      '2 of the 4 queries that are open are of one client, which is its share; close some, or try again later',
    ])
    expect((await submit(app, 'SELECT 3', {}, as('greedy'))).status).toBe(503)
    await ask('third', 'SELECT 1')
  })

  test('if no query has finished, a waiting one is ended before a running one', async () => {
    const { ask, answer, status, running } = await shared({ maxQueries: 3 })
    const handles: string[] = []
    for (let i = 0; i < 3; i++) handles.push(await ask('greedy', ENDLESS))
    await running('greedy', handles[1]!)
    expect(await answer('honest', 'SELECT 1')).toEqual([[1]])
    const states = await Promise.all(handles.map((handle) => status('greedy', handle)))
    expect(states.map((state) => state.status)).toEqual(['RUNNING', 'RUNNING', 'ERROR'])
  })

  test('of closed queries are kept for each client, however many another client closes', async () => {
    const { ask, app, as, close, status } = await shared({ maxQueries: 4 })
    const own = await ask('honest', "SELECT 'x'::INT + length(current_date::VARCHAR)")
    await ended(app, own, as('honest'))
    for (let i = 0; i < 20; i++) await close('greedy', await ask('greedy', 'SELECT 1'))
    expect((await status('honest', own)).status).toBe('ERROR')
  })
})
