/** The job model: what is durable, how a job moves through its states, slots, grants, recovery, history. No time passes. */
import { describe, expect, test } from 'vitest'
import { HISTORY_JOBS_MAX, HISTORY_MS } from '../../src/jobs/job-history.ts'
import { DEFAULT_NAMESPACE, parseNamespaceName, parseStreamName } from '../../src/streams/names.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { client, jobsSetup, STATEMENT, settled } from '../support/jobs.ts'

const PASSING = { kind: 'passing', message: 'the database is down' } as const
const LASTING = { kind: 'lasting', message: 'stream in was truncated' } as const
const CONVERSION = { kind: 'conversion', message: 'Division by zero' } as const
const IN = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('in') }
const OUT = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('out') }
const [IN_ID, OUT_ID, OTHER_ID] = [1, 2, 3].map((n) => `00000000-0000-0000-0000-00000000000${n}`) as [
  string,
  string,
  string,
]

describe('create', () => {
  test('a job is durable, has a name, and runs', async () => {
    const setup = await jobsSetup()
    const { jid, ...view } = await setup.create()
    expect(jid).toMatch(/^[0-9a-f]{32}$/)
    expect(view).toMatchObject({ name: 'insert-into_OUT', state: 'CREATED', tableIds: [IN_ID, OUT_ID] })
    expect(setup.state(jid)).toBe('RUNNING')
    expect(await setup.document(jid)).toEqual({
      ...{ number: 1, name: 'insert-into_OUT', statement: STATEMENT, reads: [IN_ID], writes: [OUT_ID] },
      ...{ startMs: 1_000_000, vertices: [], state: 'RUNNING', attempt: 0 },
      enteredMs: { INITIALIZING: 1_000_000, CREATED: 1_000_000, RUNNING: 1_000_000 },
      attemptStates: ['INITIALIZING', 'CREATED', 'RUNNING'].map((state) => ({ state, atMs: 1_000_000 })),
    })
  })

  test('the engine gets the tables with their streams', async () => {
    const setup = await jobsSetup()
    await setup.create()
    const { run } = setup.engine.submitted[0]!
    expect(run.connected.map(({ name, stream }) => [name, stream])).toEqual([
      ['IN', IN],
      ['OUT', OUT],
    ])
  })

  test('ids of jobs differ even where randomness does not', async () => {
    const setup = await jobsSetup()
    const [one, other] = [await setup.create(), await setup.create()]
    expect(one.jid).not.toBe(other.jid)
    expect(setup.jobs.list(DEFAULT_NAMESPACE).map(({ jid }) => jid)).toEqual([other.jid, one.jid])
  })

  test('a missing stream of a sink is created', async () => {
    const setup = await jobsSetup()
    expect(setup.streams.has(OUT)).toBe(false)
    await setup.create()
    expect(setup.streams.has(OUT)).toBe(true)
  })

  test.each([
    { name: 'an unknown table id', tableIds: ['nope'], text: 'Table nope does not exist' },
    { name: 'a table that is not listed', tableIds: [OUT_ID], text: 'table IN is not in table_ids' },
    { name: 'an empty name', job: '', text: 'job_name has 0 characters; use 1 to 1000' },
    { name: 'a long name', job: 'x'.repeat(1001), text: 'job_name has 1001 characters; use 1 to 1000' },
    { name: 'another statement', statement: 'SELECT 1', text: 'a job needs INSERT INTO' },
  ])(
    '$name is refused, and nothing is stored',
    async ({ tableIds = [], job, statement = STATEMENT, text }) => {
      const setup = await jobsSetup()
      const created = setup.jobs.create(DEFAULT_NAMESPACE, { statement, tableIds, name: job }, undefined)
      await expect(created).rejects.toThrow(text)
      expect(setup.jobs.list(DEFAULT_NAMESPACE)).toEqual([])
    },
  )

  test.each([
    ["ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'", 'ts'],
    ['a INT, `timestamp` TIMESTAMP_LTZ(3) METADATA', 'timestamp'],
  ])('a stream takes no timestamp of a job: %s', async (schemaSql, column) => {
    const setup = await jobsSetup()
    await setup.tables.define(DEFAULT_NAMESPACE, 'STAMPED', schemaSql, { typesOf: async () => [] })
    const request = { statement: 'INSERT INTO STAMPED SELECT * FROM IN', tableIds: [], name: undefined }
    const text = `metadata column '${column}' of table STAMPED cannot be written; declare it as VIRTUAL`
    await expect(setup.jobs.validate(DEFAULT_NAMESPACE, request, undefined)).rejects.toThrow(text)
    await expect(setup.jobs.create(DEFAULT_NAMESPACE, request, undefined)).rejects.toThrow(text)
    expect([setup.jobs.list(DEFAULT_NAMESPACE), setup.engine.submitted]).toEqual([[], []])
    const reads = { ...request, statement: 'INSERT INTO OUT SELECT * FROM STAMPED' }
    await setup.jobs.validate(DEFAULT_NAMESPACE, reads, undefined)
  })

  test('ids that the statement does not name are tolerated', async () => {
    const setup = await jobsSetup()
    const request = { statement: STATEMENT, tableIds: [OTHER_ID, OUT_ID, IN_ID, IN_ID], name: 'mine' }
    const view = await setup.jobs.create(DEFAULT_NAMESPACE, request, undefined)
    expect([view.name, view.tableIds]).toEqual(['mine', [IN_ID, OUT_ID]])
  })

  test('without a slot a job is refused', async () => {
    const setup = await jobsSetup({ jobsMax: 2 })
    const { jid } = await setup.create()
    await setup.create()
    await expect(setup.create()).rejects.toMatchObject({
      code: 'job_slots',
      message: 'all 2 job slots are in use',
    })
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await settled()
    expect(setup.state((await setup.create()).jid)).toBe('RUNNING')
  })

  test('the last quarter of the slots is kept for tokens with fewer jobs', async () => {
    const names = ['a', 'b', 'c', 'd', 'reader']
    const grants = (name: string) => (name === 'reader' ? 'default:*:read' : '*:*:read,write,admin')
    const tokens = new Map(names.map((name) => [name, client(name, grants(name))]))
    const setup = await jobsSetup({ jobsMax: 16, tokens })
    const create = (name: string) => setup.create(DEFAULT_NAMESPACE, STATEMENT, tokens.get(name))
    const jids: string[] = []
    const take = async (name: string, count: number) => {
      for (let i = 0; i < count; i++) jids.push((await create(name)).jid)
    }
    const refused = async (name: string, message: string) =>
      expect(create(name)).rejects.toMatchObject({ code: 'job_slots', message })

    await take('a', 12)
    const fewer = 'free ones are kept for tokens with fewer; cancel a job first'
    await refused('a', `token 'a' has 12 of 16 job slots, and the 4 ${fewer}`)
    await take('b', 3)
    const last = 'the last free one is kept for a token without a job; cancel a job first'
    await refused('b', `token 'b' has 3 of 16 job slots, and ${last}`)
    // The checks of a statement need no slot.
    const request = { statement: STATEMENT, tableIds: [], name: undefined }
    await setup.jobs.validate(DEFAULT_NAMESPACE, request, tokens.get('b'))
    await take('c', 1)
    await refused('d', 'all 16 job slots are in use')

    // What the token with most gives back goes to the others.
    for (const jid of jids.slice(0, 3)) await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await settled()
    await refused('a', `token 'a' has 9 of 16 job slots, and the 3 ${fewer}`)
    await take('c', 2)
    await take('d', 1)
    for (const jid of jids.slice(3, 8)) await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await settled()
    await take('a', 1)
    await refused('a', `token 'a' has 5 of 16 job slots, and the 4 ${fewer}`)
  })

  test('a token that alone may create jobs has all slots', async () => {
    const owner = client('a', '*:*:read,write,admin')
    const others = ['default:*:read,write', 'other:in*:admin'].map((grant, i) => client(`other-${i}`, grant))
    const tokens = new Map([owner, ...others].map((one) => [one.name, one]))
    const setup = await jobsSetup({ jobsMax: 4, tokens })
    for (let i = 0; i < 4; i++) await setup.create(DEFAULT_NAMESPACE, STATEMENT, owner)
    const fifth = setup.create(DEFAULT_NAMESPACE, STATEMENT, owner)
    await expect(fifth).rejects.toMatchObject({ message: 'all 4 job slots are in use' })
  })

  test('of many at the same moment no more than there are slots are created', async () => {
    const setup = await jobsSetup({ jobsMax: 3 })
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => setup.create()))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })

  test('a job that cannot be recorded does not exist', async () => {
    const setup = await jobsSetup()
    setup.storage.fail(new StorageError('unavailable', 'the disk is gone'))
    await expect(setup.create()).rejects.toMatchObject({ code: 'unavailable' })
    setup.storage.heal()
    expect([setup.jobs.list(DEFAULT_NAMESPACE), setup.engine.submitted]).toEqual([[], []])
  })
})

describe('states', () => {
  test('an error that may pass restarts the job after 1 s, 2 s, 4 s', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    const seen: unknown[] = []
    for (const seconds of [1, 2, 4]) {
      setup.engine.running.get(jid)!.failed(PASSING)
      seen.push(setup.state(jid))
      await setup.clock.pass(seconds * 1000 - 1)
      seen.push(setup.engine.running.has(jid))
      await setup.clock.pass(1)
      seen.push(setup.state(jid))
    }
    expect(seen).toEqual([1, 2, 4].flatMap(() => ['RESTARTING', false, 'RUNNING']))
    const { attempt, exceptions } = setup.jobs.get(DEFAULT_NAMESPACE, jid)
    expect([attempt, exceptions.map(({ message }) => message)]).toEqual([3, Array(3).fill(PASSING.message)])
  })

  test('the job reports to its integrations that it runs, and which of them cannot be reached', async () => {
    const setup = await jobsSetup()
    await setup.create()
    const running = { id: 'streams', active: true }
    expect(setup.tables.contacts).toEqual([running, running]) // of both tables
    setup.tables.contacts.length = 0
    const failure = { kind: 'passing', message: 'PostgreSQL: gone' } as const
    setup.engine.submitted[0]!.failed(failure)
    await settled()
    expect(setup.tables.contacts).toEqual([])
    await setup.clock.pass(1_000)
    setup.tables.contacts.length = 0
    setup.engine.submitted[1]!.failed({ ...failure, unreachable: 'pg' })
    await settled()
    const reason = 'PostgreSQL: gone'
    expect(setup.tables.contacts).toEqual([{ id: 'pg', active: false, state: 'UNREACHABLE', reason }])
  })

  test('the end of the process because of another job restarts the job after 1 s each time', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    for (let i = 0; i < 5; i++) {
      setup.engine.running.get(jid)!.failed({ ...PASSING, processEnd: 'foreign' })
      await setup.clock.pass(1_000)
      expect(setup.state(jid)).toBe('RUNNING')
    }
  })

  test('the fourth conversion error fails the job', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    for (let i = 0; i < 3; i++) {
      setup.engine.running.get(jid)!.failed(CONVERSION)
      await setup.clock.pass(60_000)
    }
    expect(setup.state(jid)).toBe('RUNNING')
    setup.engine.running.get(jid)!.failed(CONVERSION)
    await settled()
    expect([setup.state(jid), setup.engine.removed]).toEqual(['FAILED', [jid]])
    expect(await setup.document(jid)).toMatchObject({ state: 'FAILED', attempt: 3, endMs: setup.clock.nowMs })
  })

  test('an error that cannot pass fails the job at once', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.engine.running.get(jid)!.failed(LASTING)
    const { state, enteredMs, endMs, exceptions } = setup.jobs.get(DEFAULT_NAMESPACE, jid)
    expect([state, Object.keys(enteredMs).slice(-2), endMs]).toEqual([
      'FAILED',
      ['FAILING', 'FAILED'],
      1_000_000,
    ])
    expect(exceptions).toEqual([
      { timestampMs: 1_000_000, message: LASTING.message, isRoot: false, attempt: 0 },
    ])
  })

  test('a finished job keeps its figures', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    const run = setup.engine.running.get(jid)!
    const figures = {
      epoch: 3,
      checkpoint: undefined,
      sources: [],
      inserts: [],
      busyMs: 1,
      backpressuredMs: 0,
      idleMs: 2,
      vertices: [],
    }
    run.progress(figures)
    run.finished()
    await settled()
    expect(await setup.document(jid)).toMatchObject({ state: 'FINISHED', figures: { epoch: 3, busyMs: 1 } })
    await setup.restart()
    expect(setup.jobs.get(DEFAULT_NAMESPACE, jid)).toMatchObject({ state: 'FINISHED', figures: { epoch: 3 } })
  })

  test('cancel is durable before it is answered, and ends with CANCELED', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    let end: () => void = () => {}
    setup.engine.onCancel = () => new Promise((resolve) => (end = resolve))
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    expect([setup.state(jid), (await setup.document(jid))?.state]).toEqual(['CANCELLING', 'CANCELLING'])
    setup.engine.running.get(jid)!.failed(LASTING)
    end()
    await settled()
    expect(setup.state(jid)).toBe('CANCELED')
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    expect([setup.state(jid), setup.engine.cancelled]).toEqual(['CANCELED', [jid]])
  })

  test('cancel during a delay ends the job without another start', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.engine.running.get(jid)!.failed(PASSING)
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await setup.clock.pass(60_000)
    expect([setup.state(jid), setup.engine.submitted.length]).toEqual(['CANCELED', 1])
  })

  test('cancel while the engine starts the job', async () => {
    const setup = await jobsSetup()
    let submit: () => void = () => {}
    setup.engine.onSubmit = () => new Promise((resolve) => (submit = resolve))
    const { jid } = await setup.create()
    expect(setup.state(jid)).toBe('CREATED')
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    submit()
    await settled()
    expect(setup.state(jid)).toBe('CANCELED')
  })

  test('a job that is not known', async () => {
    const setup = await jobsSetup()
    const refusal = { code: 'job_not_found', message: 'Job nope does not exist' }
    expect(() => setup.jobs.get(DEFAULT_NAMESPACE, 'nope')).toThrow(expect.objectContaining(refusal))
    await expect(setup.jobs.cancel(DEFAULT_NAMESPACE, 'nope')).rejects.toMatchObject(refusal)
  })

  test('the first five bad events, each once', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    const bad = (sequence: number) => ({
      tableName: 'IN',
      partition: 0,
      sequence,
      timestampMs: 1,
      reason: 'no JSON',
    })
    for (const sequence of [1, 1, 2, 3, 4, 5, 6]) setup.engine.running.get(jid)!.badRecord(bad(sequence))
    const { badRecords } = setup.jobs.get(DEFAULT_NAMESPACE, jid)
    expect(badRecords.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
    await settled()
    await setup.restart()
    expect(setup.jobs.get(DEFAULT_NAMESPACE, jid).badRecords).toEqual(badRecords)
  })

  test('what the engine reports of an earlier run has no effect', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    const [first] = setup.engine.submitted
    first!.failed(PASSING)
    await setup.clock.pass(1_000)
    first!.running()
    first!.failed(LASTING)
    first!.finished()
    expect(setup.state(jid)).toBe('RUNNING')
  })

  test('a state that cannot be written is written when the store takes writes again', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.storage.fail(new StorageError('unavailable', 'the disk is gone'))
    setup.engine.running.get(jid)!.failed(LASTING)
    await settled()
    setup.storage.heal()
    expect((await setup.document(jid))?.state).toBe('RUNNING')
    await setup.clock.pass(2_000)
    await settled()
    expect((await setup.document(jid))?.state).toBe('FAILED')
  })
})

describe('recovery', () => {
  test('live jobs go on under their id, the others stay as they are', async () => {
    const setup = await jobsSetup()
    const [running, failed, restarting] = [await setup.create(), await setup.create(), await setup.create()]
    setup.engine.running.get(failed.jid)!.failed(LASTING)
    setup.engine.running.get(restarting.jid)!.failed(PASSING)
    await settled()
    await setup.restart({ start: false })
    const states = () => [running, failed, restarting].map(({ jid }) => setup.state(jid))
    expect(states()).toEqual(['INITIALIZING', 'FAILED', 'INITIALIZING'])
    setup.jobs.start()
    await settled()
    expect(states()).toEqual(['RUNNING', 'FAILED', 'RUNNING'])
    expect(setup.engine.submitted.map(({ run }) => run.jid)).toEqual([running.jid, restarting.jid])
  })

  test('a job that was being cancelled is CANCELED, and does not run again', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.engine.onCancel = () => new Promise(() => {})
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await setup.restart()
    expect([setup.state(jid), setup.engine.submitted]).toEqual(['CANCELED', []])
    expect((await setup.document(jid))?.state).toBe('CANCELED')
  })

  test('while the service stops no job restarts, and each keeps its state', async () => {
    const setup = await jobsSetup()
    const [failing, running] = [await setup.create(), await setup.create()]
    setup.engine.running.get(failing.jid)!.failed(PASSING)
    setup.jobs.stop()
    setup.engine.running.get(running.jid)!.failed(PASSING)
    await setup.clock.pass(60_000)
    expect([setup.state(failing.jid), setup.state(running.jid)]).toEqual(['RESTARTING', 'RUNNING'])
    expect([setup.engine.submitted.length, setup.reported]).toEqual([2, []])
  })

  test('a few jobs start at the same time, and all in the end', async () => {
    const setup = await jobsSetup()
    for (let i = 0; i < 20; i++) await setup.create()
    await setup.restart({ start: false })
    let starting = 0
    let most = 0
    setup.engine.onSubmit = async () => {
      most = Math.max(most, ++starting)
      await new Promise((resolve) => setImmediate(resolve))
      starting--
    }
    setup.jobs.start()
    await settled()
    expect([most, setup.engine.running.size]).toEqual([4, 20])
  })

  test('with fewer slots than live jobs the newest wait', async () => {
    const setup = await jobsSetup()
    const jids: string[] = []
    for (let i = 0; i < 3; i++) jids.push((await setup.create()).jid)
    await setup.restart({ jobsMax: 2 })
    const states = () => jids.map((jid) => setup.state(jid))
    expect(states()).toEqual(['RUNNING', 'RUNNING', 'INITIALIZING'])
    setup.engine.running.get(jids[0]!)!.failed(LASTING)
    await settled()
    expect(states()).toEqual(['FAILED', 'RUNNING', 'RUNNING'])
  })

  test('numbers go on, so that the newest is first', async () => {
    const setup = await jobsSetup()
    const old = await setup.create()
    await setup.restart()
    const young = await setup.create()
    expect(setup.jobs.list(DEFAULT_NAMESPACE).map(({ jid }) => jid)).toEqual([young.jid, old.jid])
  })
})

describe('streams that do not exist', () => {
  test('both the stream that is read and the one that is written are created when the job first starts', async () => {
    const setup = await jobsSetup()
    if (setup.streams.has(IN)) await setup.streams.delete(IN)
    const { jid } = await setup.create()
    expect([setup.state(jid), setup.streams.has(IN), setup.streams.has(OUT)]).toEqual(['RUNNING', true, true])
  })

  test('a stream that was deleted after the job had read it is not created again', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await setup.streams.delete(IN)
    await setup.restart()
    expect([setup.state(jid), setup.streams.has(IN)]).toEqual(['RUNNING', false])
  })

  test('a job that would create the stream that it reads needs admin for it', async () => {
    const owner = client('x', 'default:in:read', 'default:out:write,admin')
    const setup = await jobsSetup({ tokens: new Map([['x', owner]]) })
    if (setup.streams.has(IN)) await setup.streams.delete(IN)
    const created = setup.create(DEFAULT_NAMESPACE, STATEMENT, owner)
    const refusal = { code: 'no_grant', message: "token 'x' has no admin grant for stream in" }
    await expect(created).rejects.toMatchObject(refusal)
  })
})

describe('grants', () => {
  const all = client('x', 'default:*:read,write,admin')

  test.each([
    { grants: ['default:out:read,write,admin'], text: "token 'x' has no read grant for stream in" },
    { grants: ['default:*:read'], text: "token 'x' has no write grant for stream out" },
    { grants: ['default:*:read,write'], text: "token 'x' has no admin grant for stream out" },
    { grants: ['other:*:read,write,admin'], text: "token 'x' has no read grant for stream in" },
  ])('$grants: $text', async ({ grants, text }) => {
    const owner = client('x', ...grants)
    const setup = await jobsSetup({ tokens: new Map([['x', owner]]) })
    const created = setup.create(DEFAULT_NAMESPACE, STATEMENT, owner)
    await expect(created).rejects.toMatchObject({ code: 'no_grant', message: text })
    const request = { statement: STATEMENT, tableIds: [], name: undefined }
    const checked = setup.jobs.validate(DEFAULT_NAMESPACE, request, owner)
    await expect(checked).rejects.toMatchObject({ code: 'no_grant', message: text })
  })

  test('admin is not needed where the stream exists', async () => {
    const owner = client('x', 'default:in:read', 'default:out:write')
    const setup = await jobsSetup({ tokens: new Map([['x', owner]]) })
    await setup.streams.create(OUT, {})
    expect(setup.state((await setup.create(DEFAULT_NAMESPACE, STATEMENT, owner)).jid)).toBe('RUNNING')
  })

  test.each([
    { name: 'revoked', now: undefined, text: "token 'x' is not valid any more" },
    {
      name: 'without its grant',
      now: client('x', 'default:in:read'),
      text: "token 'x' has no write grant for stream out",
    },
  ])('a running job whose token is $name fails within a second', async ({ now, text }) => {
    const tokens = new Map([['x', all]])
    const setup = await jobsSetup({ tokens })
    const { jid } = await setup.create(DEFAULT_NAMESPACE, STATEMENT, all)
    if (now === undefined) tokens.delete('x')
    else tokens.set('x', now)
    expect(setup.jobs.refusal(jid, 'write', OUT)).toBe(text)
    await setup.clock.pass(1_000)
    expect([setup.state(jid), setup.engine.cancelled]).toEqual(['FAILED', [jid]])
    expect(setup.jobs.get(DEFAULT_NAMESPACE, jid).exceptions.at(-1)?.message).toBe(text)
  })

  test('grants are checked again when the service starts', async () => {
    const tokens = new Map([['x', all]])
    const setup = await jobsSetup({ tokens })
    const { jid } = await setup.create(DEFAULT_NAMESPACE, STATEMENT, all)
    tokens.set('x', client('x', 'default:out:write'))
    await setup.restart()
    expect([setup.state(jid), setup.engine.submitted]).toEqual(['FAILED', []])
  })

  test('a job without an owner is not limited', async () => {
    const setup = await jobsSetup({ tokens: new Map() })
    const { jid } = await setup.create()
    await setup.clock.pass(1_000)
    expect(setup.state(jid)).toBe('RUNNING')
  })
})

describe('removal', () => {
  const SHOP = parseNamespaceName('shop')

  async function shopJob() {
    const setup = await jobsSetup()
    await setup.namespaces.create(SHOP, {})
    for (const name of ['IN', 'OUT']) setup.tables.add(SHOP, name)
    await setup.streams.create({ namespace: SHOP, stream: parseStreamName('in') }, {})
    const { jid } = await setup.create(SHOP)
    return { setup, jid }
  }

  test('a namespace cancels its jobs first, and takes documents, epochs and states with it', async () => {
    const { setup, jid } = await shopJob()
    await setup.storage.catalog.commit([{ collection: 'job-epochs', id: `${jid}:0`, document: 4 }])
    const kept = await setup.create()
    let streamsAtCancel = false
    setup.engine.onCancel = () => {
      streamsAtCancel = setup.streams.has({ namespace: SHOP, stream: parseStreamName('in') })
    }
    await setup.namespaces.delete(SHOP)
    await settled()
    expect([streamsAtCancel, setup.engine.cancelled, setup.engine.removed]).toEqual([true, [jid], [jid]])
    expect(() => setup.state(jid, SHOP)).toThrow('does not exist')
    const left: string[] = []
    await setup.storage.catalog.each('jobs', (id) => left.push(id))
    await setup.storage.catalog.each('job-epochs', (id) => left.push(id))
    expect([left, setup.state(kept.jid)]).toEqual([[`default:${kept.jid}`], 'RUNNING'])
  })

  test('a job that is created while its namespace is being deleted is not left behind', async () => {
    const { setup, jid } = await shopJob()
    let late: Promise<unknown> = Promise.resolve()
    setup.engine.onCancel = (cancelled) => {
      if (cancelled === jid)
        late = setup.jobs.create(SHOP, { statement: STATEMENT, tableIds: [], name: 'late' }, undefined)
    }
    await setup.namespaces.delete(SHOP)
    await late.catch(() => {})
    await settled()
    expect([setup.jobs.list(SHOP), setup.jobs.live(), setup.engine.running.size]).toEqual([[], [], 0])
  })

  test('tables of jobs that have not ended are in use', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    expect([IN_ID, OUT_ID, OTHER_ID].map((id) => setup.tables.usersOf(id))).toEqual([
      [{ name: 'insert-into_OUT', jid }],
      [{ name: 'insert-into_OUT', jid }],
      [],
    ])
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await settled()
    expect(setup.tables.usersOf(IN_ID)).toEqual([])
  })

  test('a table that is gone fails the job at its next start', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.tables.remove(IN_ID)
    setup.engine.running.get(jid)!.failed(PASSING)
    await setup.clock.pass(1_000)
    expect(setup.jobs.get(DEFAULT_NAMESPACE, jid)).toMatchObject({
      state: 'FAILED',
      exceptions: [{}, { message: `Table ${IN_ID} does not exist` }],
    })
  })

  test('jobs are users of their streams until they have ended', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    const request = { statement: STATEMENT, tableIds: [], name: 'Größte Last!' }
    const other = await setup.jobs.create(DEFAULT_NAMESPACE, request, undefined)
    await settled()
    const users = () =>
      setup.usage.programsOf(IN).map(({ application, type, program }) => [application, type, program])
    expect(users()).toEqual([
      ['jobs', 'Flow', 'insert-into_OUT'],
      ['jobs', 'Flow', 'Gr__te_Last_'],
    ])
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await setup.jobs.cancel(DEFAULT_NAMESPACE, other.jid)
    await settled()
    expect(users()).toEqual([])
  })
})

describe('history', () => {
  test('the last ones of a namespace are kept, and all of the last day', async () => {
    const setup = await jobsSetup()
    const documents = Array.from({ length: HISTORY_JOBS_MAX + 250 }, (_, i) => ({
      collection: 'jobs',
      id: `default:${i.toString(16).padStart(32, '0')}`,
      document: {
        ...{
          number: i + 1,
          name: 'n',
          statement: 's',
          reads: [],
          writes: ['t'],
          startMs: i,
          endMs: i,
          attempt: 0,
        },
        ...{ vertices: [], state: 'FINISHED', enteredMs: {} },
      },
    }))
    await setup.storage.catalog.commit(documents)
    await setup.storage.catalog.commit([{ collection: 'job-epochs', id: `${'0'.repeat(32)}:0`, document: 4 }])
    await setup.restart()
    setup.clock.nowMs = HISTORY_MS + 99
    await setup.jobs.tidy()
    expect(setup.jobs.list(DEFAULT_NAMESPACE)).toHaveLength(HISTORY_JOBS_MAX + 150)
    expect(await setup.storage.catalog.get('job-epochs', `${'0'.repeat(32)}:0`)).toBe(undefined)
    setup.clock.nowMs = 2 * HISTORY_MS
    await setup.jobs.tidy()
    await setup.restart()
    const kept = setup.jobs.list(DEFAULT_NAMESPACE)
    expect([kept.length, kept.at(-1)?.jid.slice(-2)]).toEqual([HISTORY_JOBS_MAX, (250).toString(16)])
  })

  test('live jobs are never removed', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.clock.nowMs += 100 * HISTORY_MS
    await setup.jobs.tidy()
    expect(setup.state(jid)).toBe('RUNNING')
  })
})
