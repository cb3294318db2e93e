/** The built worker process: its failures do not reach the service, and it leaves nothing behind. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'

const QUERIES = '/v3/data/explore/queries'
const onLinux = process.platform === 'linux'
/** Runs until its time limit, and can be interrupted. */
const ENDLESS = 'SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range > b.range'

async function serviceWith(events: number, args: readonly string[] = []) {
  const folder = await temporaryFolder()
  const service = await startServiceProcess(folder, { args })
  await fetch(`${service.base}${STREAMS}/s`, { method: 'PUT' })
  const body = Array.from({ length: events }, (_, i) => `line ${i}`).join('\n')
  const headers = { 'Content-Type': 'text/plain' }
  const added = await fetch(`${service.base}${STREAMS}/s/batch`, { method: 'POST', headers, body })
  expect(added.status).toBe(200)
  return { folder, service }
}

/** The handle, or the error. */
async function submit(service: ServiceProcess, query: string): Promise<string> {
  const answer = await fetch(`${service.base}/v3/namespaces/default/data/explore/queries`, {
    method: 'POST',
    body: JSON.stringify({ query }),
  })
  const text = await answer.text()
  expect([200, 400], text).toContain(answer.status)
  return answer.status === 200 ? (JSON.parse(text) as { handle: string }).handle : text
}

async function stateOf(service: ServiceProcess, handle: string) {
  const answer = await fetch(`${service.base}${QUERIES}/${handle}/status`)
  return (await answer.json()) as { status: string; errorMessage?: string }
}

async function until(service: ServiceProcess, handle: string, ...statuses: string[]) {
  for (;;) {
    const state = await stateOf(service, handle)
    if (statuses.includes(state.status)) return state
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The only cell of the answer. Repeated while the process of queries is ending. */
async function cell(service: ServiceProcess, query: string): Promise<unknown> {
  for (;;) {
    const handle = await submit(service, query)
    if (!handle.startsWith('[')) {
      const { status } = await until(service, handle, 'FINISHED', 'ERROR')
      const rows = await fetch(`${service.base}${QUERIES}/${handle}/next`, { method: 'POST' })
      if (status === 'FINISHED') return ((await rows.json()) as { columns: unknown[] }[])[0]?.columns[0]
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function children({ pid }: ServiceProcess): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Whether it runs; a zombie does not. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const deep = (inner: string) =>
  `SELECT ${inner} FROM (SELECT repeat('[', 100000) || repeat(']', 100000) AS j)`
const harmful = [
  { name: 'nesting that makes the engine crash', sql: deep('json_structure(j)') },
  { name: 'the same as a value of any type', sql: deep('j::JSON::VARIANT') },
  { name: 'a text of four gigabytes', sql: "SELECT length(format('{:4000000000}', 1))" },
  { name: 'texts of a gigabyte in all rows', sql: 'SELECT max(length(repeat(body, 1000000))) FROM stream_s' },
  {
    name: 'many texts in one list',
    sql: 'SELECT length(list(repeat(body, 10000))::VARCHAR) FROM stream_s a, range(100)',
  },
]
test.skipIf(!onLinux).each(harmful)(
  '$name: the query fails, the service goes on',
  async ({ sql }) => {
    const { service } = await serviceWith(3_000, ['--max-query-memory-bytes', '134217728'])
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(3_000)
    const handle = await submit(service, sql)
    if (!handle.startsWith('['))
      expect((await until(service, handle, 'FINISHED', 'ERROR')).status).toBe('ERROR')
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(3_000)
    const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))!
    expect(Number(peak[1]) / 1024).toBeLessThan(300)
    expect((await service.stop()).code).toBe(0)
  },
  120_000,
)

test.skipIf(!onLinux)(
  'a query that cannot be interrupted ends with its process, and the rows in it are reported as lost',
  async () => {
    const { service } = await serviceWith(3_000)
    const kept = await submit(service, 'SELECT body FROM stream_s')
    await until(service, kept, 'FINISHED')
    const before = children(service)
    // If it was cancelled too early it could still be interrupted: then try again.
    let lost = await stateOf(service, kept)
    for (let attempt = 0; attempt < 5 && lost.status !== 'ERROR'; attempt++) {
      const query = await submit(
        service,
        "SELECT max(levenshtein(repeat(body, 3000), repeat('b', 30000))) FROM stream_s",
      )
      await until(service, query, 'RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      await fetch(`${service.base}${QUERIES}/${query}`, { method: 'DELETE' })
      expect((await stateOf(service, query)).status).toBe('CANCELED')
      for (let i = 0; i < 100 && lost.status !== 'ERROR'; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        lost = await stateOf(service, kept)
      }
    }
    expect(lost.errorMessage).toBe(
      'a query could not be interrupted: its process was ended, and all that it had with it',
    )
    await expect.poll(() => before.filter(isThere).length).toBe(before.length - 1)
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(3_000)
  },
  120_000,
)

/** Another client: one that comes from another address. */
function submitFromElsewhere(
  service: ServiceProcess,
  query: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { host, port } = service
    const path = '/v3/namespaces/default/data/explore/queries'
    const sent = request({ host, port, path, method: 'POST', localAddress: '127.0.0.2' }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on('error', reject)
    sent.end(JSON.stringify({ query }))
  })
}

const doubled = Array.from({ length: 40 }, (_, i) => (i === 0 ? '1 AS a0' : `a${i - 1} + a${i - 1} AS a${i}`))
const endsChecks = [
  { name: 'a constant of gigabytes', sql: "SELECT length(repeat('a', 3000000000))" },
  { name: 'a list of gigabytes', sql: 'SELECT len(range(1000000000))' },
  {
    name: 'nesting that makes the engine crash',
    sql: "SELECT json_structure(repeat('[', 100000) || repeat(']', 100000))",
  },
  { name: 'an alias doubled forty times', sql: `SELECT ${doubled.join(', ')}` },
  {
    name: 'a constant that takes minutes',
    sql: "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
  },
]
test.skipIf(!onLinux).each(endsChecks)(
  '$name ends the check of its statement, and no query',
  async ({ sql }) => {
    const { service } = await serviceWith(3_000)
    const runs = await submit(service, ENDLESS)
    const rows = await submit(service, 'SELECT body FROM stream_s')
    await until(service, rows, 'FINISHED')
    let refused = await submitFromElsewhere(service, sql)
    while (refused.status === 503) refused = await submitFromElsewhere(service, sql) // the machine is busy
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringMatching(/^\[SQLState (53200|57014|HY000)\] the statement /),
    ])
    expect((await stateOf(service, runs)).status).toBe('RUNNING')
    expect((await stateOf(service, rows)).status).toBe('FINISHED')
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(3_000)
    expect((await service.stop()).code).toBe(0)
  },
  120_000,
)

test.skipIf(!onLinux)(
  'a query that ends the process fails; other queries run again, and few rows are kept',
  async () => {
    const { service } = await serviceWith(3_000)
    const kept = await submit(service, 'SELECT body FROM stream_s LIMIT 3')
    await until(service, kept, 'FINISHED')
    const runs = await submit(service, 'SELECT count(*) FROM range(1000000000) WHERE range%7=3')
    await until(service, runs, 'RUNNING')
    const crash =
      "SELECT json_structure(repeat('[', 100000 + length(body)) || repeat(']', 100000 + length(body))) FROM (SELECT body FROM stream_s LIMIT 1)"
    const { text } = await submitFromElsewhere(service, crash)
    const { handle } = JSON.parse(text) as { handle: string }
    const failed = await until(service, handle, 'ERROR', 'FINISHED')
    expect(failed).toMatchObject({ status: 'ERROR', errorMessage: expect.stringContaining('has ended') })
    expect((await until(service, runs, 'FINISHED', 'ERROR')).status).toBe('FINISHED')
    const page = await fetch(`${service.base}${QUERIES}/${runs}/next`, { method: 'POST' })
    expect(await page.json()).toEqual([{ columns: [142_857_143] }])
    const rows = await fetch(`${service.base}${QUERIES}/${kept}/next`, { method: 'POST' })
    expect(((await rows.json()) as unknown[]).length).toBe(3)
  },
  120_000,
)

test.skipIf(!onLinux)(
  'while the processes get no processor time, a submission is answered 503, not 400',
  async () => {
    const { service } = await serviceWith(10)
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(10)
    const stopped = children(service)
    for (const pid of stopped) process.kill(pid, 'SIGSTOP')
    for (const query of ['SELECT 1', 'SELECT FROM FROM']) {
      const answer = await fetch(`${service.base}/v3/namespaces/default/data/explore/queries`, {
        method: 'POST',
        body: JSON.stringify({ query }),
      })
      expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([
        503,
        '1',
        'the machine has no time to check statements now; try again later',
      ])
    }
    for (const pid of stopped) process.kill(pid, 'SIGCONT')
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(10)
    expect(children(service)).toEqual(stopped)
    expect(service.stderr).toBe('')
  },
  120_000,
)

test.skipIf(!onLinux)(
  'SIGTERM does not wait for a query',
  async () => {
    const { service, folder } = await serviceWith(10)
    const handle = await submit(service, ENDLESS)
    await until(service, handle, 'RUNNING')
    const [child] = children(service)
    expect(await service.stop()).toEqual({ code: 0, signal: null })
    expect(isThere(child!)).toBe(false)
    expect(existsSync(join(folder, 'explore-spill'))).toBe(false)
  },
  60_000,
)

test.skipIf(!onLinux)(
  'after SIGKILL nothing is left of what queries had, in memory or on the disk',
  async () => {
    const { service, folder } = await serviceWith(3_000, ['--max-query-memory-bytes', '67108864'])
    const handle = await submit(service, 'SELECT a.*, b.* FROM stream_s a, stream_s b, range(10)')
    await until(service, handle, 'RUNNING')
    const spill = join(folder, 'explore-spill')
    while (!existsSync(spill) || readdirSync(spill).length === 0) {
      expect((await stateOf(service, handle)).status).toBe('RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const [child] = children(service)
    await service.kill()
    while (isThere(child!)) await new Promise((resolve) => setTimeout(resolve, 20))
    const next = await startServiceProcess(folder)
    expect(await cell(next, 'SELECT count(*) FROM stream_s')).toBe(3_000)
    expect(existsSync(spill) ? readdirSync(spill) : []).toEqual([])
    await next.stop()
  },
  60_000,
)

test.skipIf(!onLinux)(
  'a service that is killed while the processes start leaves none of them',
  async () => {
    for (let i = 0; i < 5; i++) {
      const { service } = await serviceWith(1)
      void submit(service, 'SELECT 1').catch(() => {})
      await expect.poll(() => children(service).length, { interval: 1 }).toBe(2)
      const started = children(service)
      await new Promise((resolve) => setTimeout(resolve, 40 * i))
      service.signal('SIGKILL')
      await expect.poll(() => started.filter(isThere), { timeout: 30_000 }).toEqual([])
    }
  },
  120_000,
)

test.skipIf(!onLinux)(
  'all its threads have a lower priority, and it does not see the environment of the service',
  async () => {
    const { service } = await serviceWith(10)
    expect(await cell(service, 'SELECT count(*) FROM stream_s')).toBe(10)
    const [child] = children(service)
    const priorities = readdirSync(`/proc/${child}/task`).map((thread) =>
      Number(readFileSync(`/proc/${child}/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ')[16]),
    )
    expect([...new Set(priorities)]).toEqual([10])
    const names = readFileSync(`/proc/${child}/environ`, 'utf8')
      .split('\0')
      .map((entry) => entry.split('=')[0]!)
    expect(
      names.filter((name) => !/^(MALLOC_\w+|TZ|UV_THREADPOOL_SIZE|LD_LIBRARY_PATH|NODE_\w+|)$/.test(name)),
    ).toEqual([])
  },
)

/** Takes every file descriptor, tries to start a worker, gives them back, tries again. */
const WITHOUT_DESCRIPTORS = `
  import { closeSync, openSync } from 'node:fs'
  import { RestartingQueryWorker } from './dist/src/explore/query-worker-client.js'
  const engine = { memoryBytes: 1e8, processBytes: 1e9, diskBytes: 0, spillFolder: process.argv[1] }
  const worker = new RestartingQueryWorker({ engine, limitsChecks: false, report: () => {}, onEnded: () => {} })
  const outcome = () => worker.opened().then(() => 'started', (error) => error.code)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const taken = []
  try { for (;;) taken.push(openSync('/dev/null')) } catch {}
  const without = await outcome()
  for (const descriptor of taken) closeSync(descriptor)
  console.log(without, await outcome())
  await worker.close()
`

test.runIf(onLinux)(
  'without a free file descriptor only the query fails; the next one starts the process',
  async () => {
    const command = 'ulimit -n 100; exec "$0" --input-type=module -e "$1" "$2"'
    const args = ['-c', command, process.execPath, WITHOUT_DESCRIPTORS, await temporaryFolder()]
    const { stdout } = await promisify(execFile)('sh', args)
    expect(stdout).toBe('overloaded started\n')
  },
)
