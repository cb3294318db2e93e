/** The job of a cached query: boundaries, its result as events and as updates for readers, and restarts at every point. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { column, type TestWorkerOptions } from '../../support/job-worker.ts'
import { BY_REGION, type Change, type TestQuery, TestQueryJob } from '../../support/query-jobs.ts'

async function queryJob(query: TestQuery = BY_REGION, options?: TestWorkerOptions) {
  const job = await TestQueryJob.open(query, options)
  onTestFinished(() => job.close())
  return job
}

/** A job that shows these changes. */
async function started(changes: readonly Change[] = FILLED, query?: TestQuery, options?: TestWorkerOptions) {
  const job = await queryJob(query, options)
  await job.start()
  await job.change(...changes)
  return job
}

const FILLED: readonly Change[] = [
  ['customers', 'r', [1, 'north']],
  ['customers', 'r', [2, 'south']],
  ['customers', 'r', [3, 'north']],
  ['orders', 'r', [10, 1, '20.00']],
  ['orders', 'r', [11, 2, '5.50']],
  ['orders', 'r', [12, 3, '0.50']],
]
const ROWS = ['"north" 2 "20.50" "20.00"', '"south" 1 "5.50" "5.50"']

describe('boundaries', () => {
  test('before the first one nothing is read and nothing is shown', async () => {
    const job = await queryJob()
    await job.write(...FILLED)
    await job.start()
    await job.worker.until(() => job.worker.running === 1 || undefined)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect([job.worker.published, await job.events()]).toEqual([[], []])
    await job.shows(await job.commit())
    expect(job.rows).toEqual(ROWS)
  })

  test('events behind the boundary are not read', async () => {
    const job = await started()
    await job.write(['orders', 'c', [13, 1, '1.00']])
    const lsn = await job.commit()
    await job.write(['orders', 'c', [14, 1, '100.00']])
    await job.shows(lsn)
    expect(job.rows).toEqual(['"north" 3 "21.50" "20.00"', '"south" 1 "5.50" "5.50"'])
    await job.shows(await job.commit())
    expect(job.rows).toEqual(['"north" 4 "121.50" "100.00"', '"south" 1 "5.50" "5.50"'])
  })

  test('ticks that do not reach it show nothing, and the one that does shows all', async () => {
    const job = await queryJob()
    await job.write(...FILLED)
    const lsn = await job.commit()
    await job.start({ tickEventsMax: 1 })
    const { changes } = await job.shows(lsn)
    expect(job.worker.published).toHaveLength(1)
    expect(changes.map(({ op, key }) => [op, key])).toEqual([
      ['c', '{"region":"north"}'],
      ['c', '{"region":"south"}'],
    ])
    expect(job.worker.figures?.epoch ?? 0).toBeGreaterThanOrEqual(0)
    expect(job.rows).toEqual(ROWS)
  })

  test('what was read before a restart is shown when the boundary is reached', async () => {
    const job = await queryJob()
    await job.write(...FILLED)
    const lsn = await job.commit()
    job.stopsAfter(2) // two of three ticks
    await job.start({ tickEventsMax: 1 })
    await job.worker.until(() => job.asked > 2 || undefined)
    expect(job.worker.published).toEqual([])
    await job.restart()
    await job.start({ tickEventsMax: 1 })
    await job.shows(lsn)
    expect(job.rows).toEqual(ROWS)
  })

  test('a change that was read before a restart is not forgotten, although nothing follows', async () => {
    const job = await started()
    await job.restart()
    job.stopsAfter(1) // one of two ticks
    await job.write(['orders', 'c', [13, 2, '1.00']])
    await job.store.append('orders', ['']) // a tombstone: it changes nothing
    const lsn = await job.commit()
    await job.start({ tickEventsMax: 1 })
    await job.worker.until(() => job.asked > 1 || undefined)
    await job.restart()
    await job.start()
    await job.shows(lsn)
    expect(job.rows[1]).toBe('"south" 2 "6.50" "5.50"')
  })

  test('a clock that stands still holds up nothing: sources do not wait for one another', async () => {
    const job = await queryJob(BY_REGION, { store: await TestQueryJob.store(() => 5) })
    await job.start()
    await job.change(...FILLED)
    expect(job.rows).toEqual(ROWS)
  })

  test('a moment without changes of the result is sent, too', async () => {
    const job = await started()
    const update = await job.change(['orders', 'c', [13, 77, '1.00']])
    expect(update).toMatchObject({ begins: false, ends: true, changes: [] })
    expect(await job.events()).toHaveLength(2)
  })

  test('empty tables have an empty result', async () => {
    const job = await started([])
    expect(job.worker.published).toMatchObject([{ ends: true, changes: [], moment: { lsn: '8' } }])
  })
})

describe('the result', () => {
  test('is a changelog with the moment of its refresh', async () => {
    const job = await started()
    const { changes } = await job.change(['orders', 'u', [11, 2, '5.50'], [11, 2, '7.00']])
    expect(changes).toEqual([
      {
        op: 'u',
        key: '{"region":"south"}',
        before: ['"south"', '1', '"5.50"', '"5.50"'],
        after: ['"south"', '1', '"7.00"', '"7.00"'],
      },
    ])
    const event = (await job.store.events('result')).at(-1)!
    expect(event.headers).toEqual({ 'content.type': 'application/json', key: '{"region":"south"}' })
    const { ts_ms, ts_us, ts_ns, ...envelope } = JSON.parse(event.body)
    expect([ts_us, ts_ns]).toEqual([ts_ms * 1000, ts_ms * 1_000_000])
    expect(Object.keys(JSON.parse(event.body))).toEqual([
      ...['before', 'after', 'source', 'transaction', 'op', 'ts_ms', 'ts_us', 'ts_ns'],
    ])
    expect(event.body).toContain(
      '"source":{"version":"millrace-0.0.0","connector":"millrace","name":"env1","ts_ms":1016,"snapshot":"false","db":"shop",' +
        '"sequence":null,"ts_us":1016000,"ts_ns":1016000000,"schema":"cached","table":"q2","txId":16,"lsn":16,"xmin":null,' +
        '"origin":null,"origin_lsn":null}',
    )
    expect(envelope).toMatchObject({
      before: { region: 'south', orders: 1, total: '5.50', largest: '5.50' },
      after: { region: 'south', orders: 1, total: '7.00', largest: '7.00' },
      ...{ op: 'u', transaction: null },
    })
  })

  test('has a tombstone after a row that is gone', async () => {
    const job = await started()
    await job.change(['orders', 'd', [11, 2, '5.50']])
    const events = (await job.store.events('result')).slice(-2)
    expect(JSON.parse(events[0]!.body)).toMatchObject({ op: 'd', after: null, before: { region: 'south' } })
    expect(events[1]).toMatchObject({
      body: '',
      headers: { 'content.type': 'application/json', key: '{"region":"south"}', tombstone: 'true' },
    })
    expect(job.rows).toEqual([ROWS[0]])
  })

  test('follows a table that was truncated', async () => {
    const job = await started()
    const { changes } = await job.change(['orders', 't'])
    expect(changes.map(({ op }) => op)).toEqual(['d', 'd'])
    expect(job.rows).toEqual([])
  })

  test('a new snapshot gives one set of differences', async () => {
    const job = await started()
    await job.write(['customers', 't'], ['orders', 't'])
    await job.write(...FILLED.slice(0, 5))
    const { changes } = await job.shows(await job.commit())
    expect(changes.map(({ op, before, after }) => [op, before?.[1], after?.[1]])).toEqual([['u', '2', '1']])
    expect(await job.events()).toHaveLength(3)
  })

  test('columns behind the visible ones are not in events, and are sent to readers', async () => {
    const hidden = { ...BY_REGION, visibleColumns: 2 }
    const job = await started(FILLED, hidden)
    const { changes } = await job.change(['orders', 'u', [11, 2, '5.50'], [11, 2, '7.00']])
    expect(changes).toMatchObject([{ op: 'u', after: ['"south"', '1', '"7.00"', '"7.00"'] }])
    expect(await job.events()).toEqual([
      ['c', null, { region: 'north', orders: 2 }, 8],
      ['c', null, { region: 'south', orders: 1 }, 8],
    ])
  })

  test('a group of NULL values is a row', async () => {
    const job = await started([...FILLED, ['customers', 'r', [4, null]], ['orders', 'r', [13, 4, '1.00']]])
    expect(job.rows).toEqual([...ROWS, 'null 1 "1.00" "1.00"'].sort())
    const { changes } = await job.change(['orders', 'c', [14, 4, '2.00']])
    expect(changes).toMatchObject([
      { op: 'u', key: '{"region":null}', before: ['null', '1', '"1.00"', '"1.00"'] },
    ])
  })

  test('without groups it is one row, which changes', async () => {
    const job = await started([], {
      select: 'SELECT count(*) AS c0, max(amount) AS c1 FROM b0',
      columns: [column('orders', 'BIGINT'), column('largest', 'DECIMAL', { precision: 10, scale: 2 })],
      key: [],
    })
    expect(job.rows).toEqual(['0 null'])
    const { changes } = await job.change(['orders', 'c', [1, 1, '3.00']])
    expect(changes).toEqual([{ op: 'u', key: '{}', before: ['0', 'null'], after: ['1', '"3.00"'] }])
    expect((await job.events()).map((event) => (event as unknown[])[0])).toEqual(['c', 'u'])
  })

  test('rows that are their own keys come and go, also as often as they are equal', async () => {
    const job = await started(FILLED, {
      ...{
        select: 'SELECT region AS c0 FROM b1',
        columns: [column('region', 'STRING')],
        key: [],
        keyIsRow: true,
      },
    })
    expect(job.rows).toEqual(['"north"', '"north"', '"south"'])
    const { changes } = await job.change(['customers', 'd', [1, 'north']], ['customers', 'c', [4, 'east']])
    expect(changes).toEqual([
      { op: 'd', key: '{"region":"north"}', before: ['"north"'], after: undefined },
      { op: 'c', key: '{"region":"east"}', before: undefined, after: ['"east"'] },
    ])
    expect(job.rows).toEqual(['"east"', '"north"', '"south"'])
  })

  test('a long one comes in parts', async () => {
    const query = {
      select: 'SELECT id AS c0 FROM b0',
      columns: [column('id', 'INT')],
      key: [{ column: 0, name: 'id' }],
    }
    const job = await queryJob(query)
    await job.writeMany('orders', 12_000)
    await job.start()
    await job.shows(await job.commit())
    const parts = () =>
      job.worker.published.map(({ begins, ends, changes }) => [begins, ends, changes.length])
    const lengths = [5_000, 5_000, 2_000]
    expect(parts()).toEqual(lengths.map((length, index) => [false, index === 2, length]))
    await job.restart()
    await job.start()
    await job.worker.until(() => job.worker.published.length >= 3 || undefined)
    expect(parts().slice(0, 3)).toEqual(lengths.map((length, index) => [index === 0, index === 2, length]))
    expect(job.rows).toHaveLength(12_000)
  })
})

describe('a restart', () => {
  const CHANGE: Change = ['orders', 'c', [13, 2, '4.50']]
  const CHANGED = [ROWS[0], '"south" 2 "10.00" "5.50"']
  const EVENTS = ['c', 'c', 'u']

  async function opsOf(job: TestQueryJob) {
    return (await job.events()).map((event) => (event as unknown[])[0])
  }

  test('sends the whole result with the moment that it shows', async () => {
    const job = await started()
    await job.restart()
    await job.start()
    const [first] = await job.worker.until(() =>
      job.worker.published.length > 0 ? job.worker.published : undefined,
    )
    expect(first).toMatchObject({
      begins: true,
      ends: true,
      moment: { lsn: '8', txId: 8, timestampMs: 1_008 },
    })
    expect(job.rows).toEqual(ROWS)
    await job.change(CHANGE)
    expect([job.rows, await opsOf(job)]).toEqual([CHANGED, EVENTS])
  })

  test('before the first boundary sends nothing', async () => {
    const job = await queryJob()
    await job.start()
    await job.worker.until(() => job.asked > 0 || undefined)
    await job.restart()
    await job.start()
    await job.worker.until(() => job.asked > 1 || undefined)
    expect(job.worker.published).toEqual([])
  })

  test('between commit and emission emits once, with the moment of the commit', async () => {
    let reached: (() => void) | undefined
    const isReached = new Promise<void>((resolve) => {
      reached = resolve
    })
    let isArmed = false
    const beforeEmit = async () => {
      if (!isArmed) return
      reached?.()
      await new Promise(() => {})
    }
    const job = await started(FILLED, BY_REGION, { beforeEmit })
    isArmed = true
    await job.write(CHANGE)
    await job.commit()
    await isReached
    job.worker.abandon()
    await job.commit() // a later moment, with the same rows
    await job.restart()
    await job.start()
    const [first] = await job.worker.until(() =>
      job.worker.published.length > 0 ? job.worker.published : undefined,
    )
    expect(first).toMatchObject({ begins: true, moment: { lsn: '16' } })
    expect([job.rows, await opsOf(job)]).toEqual([CHANGED, EVENTS])
    expect((await job.events()).at(-1)).toMatchObject({ 3: 16 })
  })

  test('between emission and update sends the result again, and no event', async () => {
    const job = await started()
    job.worker.publishFailure = new Error('the service stops')
    await job.write(CHANGE)
    await job.commit()
    expect(await job.worker.failed()).toMatchObject({ kind: 'passing', message: 'the service stops' })
    expect(await opsOf(job)).toEqual(EVENTS)
    await job.restart()
    await job.start()
    await job.worker.until(() => job.worker.published.length > 0 || undefined)
    expect([job.rows, await opsOf(job)]).toEqual([CHANGED, EVENTS])
  })

  test('while the emission fails', async () => {
    const job = await started()
    job.worker.appendFailure = { message: 'the store refuses writes', passing: true }
    await job.write(CHANGE)
    await job.commit()
    expect(await job.worker.failed()).toMatchObject({ kind: 'passing' })
    await job.restart()
    await job.start()
    await job.worker.until(() => job.worker.published.length > 0 || undefined)
    expect([job.rows, await opsOf(job)]).toEqual([CHANGED, EVENTS])
  })
})

test('a table that is not in the boundary is waited for', async () => {
  const job = await queryJob()
  await job.commit()
  job.worker.boundary = () => ({ moment: { lsn: '8', txId: 1, timestampMs: 1 }, ends: [] })
  await job.start()
  const text = 'table orders is not captured any more'
  expect(await job.worker.failed()).toMatchObject({ kind: 'passing', message: text })
})
