// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have parameters in this form
/**
 * flink-rest-client, the Python client of Flink's REST API: every method once against the built service with two running jobs, then a
 * SQL jar that is stopped with a savepoint and started from it while events arrive.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { jarOf } from '../support/jars.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { pythonProgram } from './client-files.ts'
import { type Call, callsOf, type Expected, expectCalls, run, tellSkipped } from './client-run.ts'
import { startTutorial } from './flink-tutorial.ts'

const VERSION = '1.0.8'
const CLIENT = `flink-rest-client ${VERSION}`
const PROGRAM = fileURLToPath(new URL('python/flink_calls.py', import.meta.url))
const STREAM = 'hits'
const NAMESPACE = 'demo_flink'

/** Rows above a value, and counts of windows of 30 seconds: both have to be exact over the savepoint. */
const SCRIPTS = {
  'sql/a-filter.sql': 'INSERT INTO HIGH SELECT n FROM HITS WHERE n > ${least};',
  'sql/b-counts.sql':
    '-- one row for each window\nINSERT INTO COUNTS\nSELECT window_start, COUNT(*), SUM(n)\n' +
    "FROM TABLE(TUMBLE(TABLE HITS, DESCRIPTOR(hit_at), INTERVAL '30' SECONDS))\nGROUP BY window_start, window_end;",
}
const TABLES = {
  HITS: "n INT, ms BIGINT, hit_at AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR hit_at AS hit_at - INTERVAL '1' SECOND",
  HIGH: 'n INT',
  COUNTS: 'window_start TIMESTAMP(3), hits BIGINT, total BIGINT',
}

/** Numbers 0 to 299, one each 100 ms: a window has 300 of them; the third part closes it. */
const FIRST_MS = 1_633_956_780_000
const hits = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) =>
    JSON.stringify({ n: from + i, ms: FIRST_MS + (from + i) * 100 }),
  )
const PARTS = [
  hits(0, 150),
  hits(150, 250),
  [...hits(250, 300), JSON.stringify({ n: 0, ms: FIRST_MS + 60_000 })],
]

const ID = expect.stringMatching(/^[0-9a-f]{32}$/)
const REST = 'RestException: REST response error'
const some = (least: object) => expect.objectContaining(least)
const list = (least: unknown) => expect.arrayContaining([least])
const notEmpty = expect.not.objectContaining({ length: 0 })
const numbers = {
  min: expect.any(Number),
  max: expect.any(Number),
  avg: expect.any(Number),
  sum: expect.any(Number),
}
const SUBTASK = some({ subtask: 0, status: 'RUNNING', attempt: 0 })
const FINISHED = some({ 'job-execution-result': some({ 'application-status': 'SUCCEEDED' }) })

const EXPECTED: Expected = {
  overview: {
    value: some({
      taskmanagers: 1,
      'jobs-running': 2,
      'flink-version': expect.stringMatching(/^1\.20\.3-millrace-/),
    }),
  },
  config: { value: some({ features: some({ 'web-submit': true, 'web-cancel': true }) }) },
  datasets: { value: [] },
  delete_dataset: {
    value: some({ status: { id: 'COMPLETED' }, operation: some({ 'failure-cause': expect.anything() }) }),
  },
  delete_cluster: {
    error: `${REST} (403): Shutting down is not enabled; start with --allow-cluster-shutdown`,
  },
  'jobmanager.config': { value: some({ data: expect.any(String) }) },
  'jobmanager.logs': { value: list(some({ name: expect.any(String), size: expect.any(Number) })) },
  'jobmanager.get_log': { value: expect.stringContaining('listening') },
  'jobmanager.get_log of nope': { error: `${REST} (404)` },
  'jobmanager.metric_names': { value: list('Status.JVM.Memory.Heap.Used') },
  'jobmanager.metrics': {
    value: some({ numRunningJobs: '2', 'Status.JVM.Memory.Heap.Used': expect.stringMatching(/^[0-9]+$/) }),
  },
  'taskmanagers.all': { value: [some({ slotsNumber: 64, freeSlots: 62 })] },
  'taskmanagers.taskmanager_ids': { value: [expect.stringMatching(/^jobs-[0-9a-f]{6}$/)] },
  'taskmanagers.metric_names': { value: list('Status.JVM.Memory.Heap.Used') },
  'taskmanagers.metrics': { value: some({ 'Status.JVM.Memory.Heap.Used': numbers }) },
  'taskmanagers.get': {
    value: some({
      metrics: some({ heapUsed: expect.any(Number) }),
      allocatedSlots: [some({ jobId: ID }), some({ jobId: ID })],
    }),
  },
  'taskmanagers.get of nope': { error: `${REST} (404)` },
  'taskmanagers.get_logs': { value: expect.any(Array) },
  'taskmanagers.get_metrics': {
    value: some({ 'Status.JVM.Memory.Heap.Used': expect.stringMatching(/^[0-9]+$/) }),
  },
  'taskmanagers.get_thread_dump': { value: notEmpty },
  'jobs.all': {
    value: [
      { id: ID, status: 'RUNNING' },
      { id: ID, status: 'RUNNING' },
    ],
  },
  'jobs.job_ids': { value: [ID, ID] },
  'jobs.overview': { value: list(some({ name: 'simple_agg', state: 'RUNNING', 'end-time': -1 })) },
  'jobs.metric_names': { value: list('numRestarts') },
  'jobs.metrics': { value: some({ numRestarts: some({ min: 0, sum: 0 }) }) },
  'jobs.get': { value: some({ jid: ID, name: 'simple_agg', state: 'RUNNING', vertices: expect.any(Array) }) },
  'jobs.get of nope': { error: `${REST} (404): Job b63c78c70033e00afa84de9029257e31 not found` },
  'jobs.get of no id': {
    error: `${REST} (400): Bad request, could not parse parameters: Cannot resolve path parameter (jobid) from value "nope".`,
  },
  'jobs.get_config': { value: some({ jid: ID, 'execution-config': some({ 'job-parallelism': 1 }) }) },
  'jobs.get_exceptions': { value: some({ 'root-exception': null, 'all-exceptions': [] }) },
  'jobs.get_execution_result': { value: { status: { id: 'IN_PROGRESS' } } },
  'jobs.get_execution_result of nope': { error: `${REST} (404)` },
  'jobs.get_metrics': { value: some({ numRestarts: '0' }) },
  'jobs.get_plan': { value: some({ jid: ID, nodes: expect.any(Array) }) },
  'jobs.get_vertex_ids': { value: [ID, ID, ID] },
  'jobs.get_accumulators': { value: some({ 'job-accumulators': [] }) },
  'jobs.get_accumulators with values': { value: some({ 'serialized-user-task-accumulators': {} }) },
  'jobs.get_checkpointing_configuration': { value: some({ mode: 'exactly_once' }) },
  'vertex.details': { value: some({ id: ID, parallelism: 1, subtasks: [SUBTASK] }) },
  'vertex.details of nope': { error: `${REST} (404)` },
  'vertex.backpressure': { value: some({ status: expect.stringMatching(/^(?:ok|deprecated)$/) }) },
  'vertex.metric_names': { value: list('0.numRecordsIn') },
  'vertex.metrics': { value: some({ '0.numRecordsIn': expect.anything() }) },
  'vertex.subtasktimes': { value: some({ id: ID, subtasks: [some({ subtask: 0 })] }) },
  'vertex.taskmanagers': { value: some({ taskmanagers: [some({ status: 'RUNNING' })] }) },
  'vertex.watermarks': { value: [{ id: '0.currentInputWatermark', value: expect.any(String) }] },
  'subtasks.subtask_ids': { value: [0] },
  'subtasks.accumulators': { value: some({ subtasks: [some({ subtask: 0 })] }) },
  'subtasks.metric_names': { value: list('numRecordsIn') },
  'subtasks.metrics': { value: some({ numRecordsIn: numbers }) },
  'subtasks.get': { value: SUBTASK },
  'subtasks.get of nope': { error: `${REST} (404)` },
  'subtasks.get_attempt': { value: SUBTASK },
  'subtasks.get_attempt by number': { value: SUBTASK },
  'subtasks.get_attempt_accumulators': { value: some({ subtask: 0, attempt: 0 }) },
  'jars.all': { value: some({ files: [] }) },
  'jars.upload': { value: some({ status: 'success', filename: expect.stringMatching(/_classes\.jar$/) }) },
  'jars.get_plan of Java': {
    error: `${REST} (400): classes.jar holds Java classes; running it needs a Flink cluster (--flink URL)`,
  },
  'jars.run of Java': {
    error: `${REST} (400): classes.jar holds Java classes; running it needs a Flink cluster (--flink URL)`,
  },
  'jars.delete': { value: true },
  'jars.delete again': { error: `${REST} (400): File` },
  'jars.run of nope': { error: `${REST} (400): Jar file` },
  'jars.upload of SQL': { value: some({ status: 'success' }) },
  'jars.get_plan without arguments': {
    error: `${REST} (400): Could not execute application. sql/a-filter.sql has \${least}`,
  },
  'jars.run': { value: ID },
  running: { value: 'RUNNING' },
  'records before': { value: PARTS[0]!.length },
  'jobs.get_checkpoints': {
    value: some({ history: notEmpty, latest: some({ completed: some({ status: 'COMPLETED' }) }) }),
  },
  'jobs.get_checkpoint_ids': { value: list(expect.any(Number)) },
  'jobs.get_checkpoint_details': { value: some({ status: 'COMPLETED', tasks: notEmpty }) },
  'jobs.get_checkpoint_details with subtasks': { value: some({ status: 'COMPLETED' }) },
  'jobs.get_checkpoint_details of nope': {
    error: `${REST} (404): Could not find checkpointing statistics for checkpoint 999999.`,
  },
  'jobs.rescale': { error: `${REST} (503): Rescaling is temporarily disabled. See FLINK-12312.` },
  'jobs.create_savepoint': { value: some({ status: { id: 'COMPLETED' }, exists: true }) },
  'jobs.create_savepoint elsewhere': {
    error: `${REST} (400): target-directory '/somewhere/else' is outside of the savepoint directories`,
  },
  'jobs.create_savepoint of nope': { error: `${REST} (404)` },
  'jobs.stop': { value: some({ status: { id: 'COMPLETED' }, exists: true }) },
  finished: { value: 'FINISHED' },
  'jobs.get_execution_result when finished': { value: FINISHED },
  'jars.upload_and_run': { value: ID },
  'running again': { value: 'RUNNING' },
  'checkpoints when restored': {
    value: some({ is_savepoint: true, external_path: expect.stringMatching(/^file:/) }),
  },
  'records after': { value: PARTS.flat().length },
  'no savepoint': { error: `${REST} (400)` },
  'jobs.terminate': { value: true },
  canceled: { value: 'CANCELED' },
  'jobs.terminate again': { value: true },
  'jobs.terminate when finished': { error: `${REST} (409)` },
  'jobs.terminate of nope': { error: `${REST} (404): Job could not be found.` },
}

test(CLIENT, async ({ skip }) => {
  const fetched = pythonProgram('flink-rest-client', VERSION)
  if ('missing' in fetched) {
    tellSkipped(CLIENT, fetched.missing)
    return skip(fetched.missing)
  }
  const folder = await temporaryFolder()
  const file = (name: string) => join(folder, name)
  const args = ['--log-dir', file('log')]
  const service = await startServiceProcess(file('data'), { args, hasChildren: true })
  await startTutorial(service, NAMESPACE, { tables: TABLES, streams: [STREAM] })
  await writeFile(file('counts.jar'), jarOf(SCRIPTS))
  await writeFile(file('classes.jar'), jarOf({ 'META-INF/MANIFEST.MF': 'Main-Class: M\n', 'M.class': 'x' }))
  for (const [index, lines] of PARTS.entries())
    await writeFile(file(`part-${index}`), `${lines.join('\n')}\n`)

  const given = [
    fetched.folder,
    service.host,
    String(service.port),
    NAMESPACE,
    file('counts.jar'),
    file('classes.jar'),
    STREAM,
  ]
  const calls = callsOf(
    await run('python3', [PROGRAM, ...given, file('part-0'), file('part-1'), file('part-2')]),
  )
  tellTable(calls)
  expectCalls(CLIENT, calls, EXPECTED)
  const numbersAbove = Array.from({ length: 300 - 81 }, (_, i) => 81 + i)
  await expect.poll(async () => (await rows(service, 'high')).map(({ n }) => n)).toEqual(numbersAbove)
  expect(await rows(service, 'counts')).toEqual([
    { window_start: '2021-10-11 12:53:00', hits: 300, total: (299 * 300) / 2 },
  ])
})

/** Method, requests, and what the client made of the answers. */
function tellTable(calls: readonly (Call & { readonly requests?: readonly string[] })[]): void {
  for (const { call, ok, value, error, requests = [] } of calls) {
    const result = ok ? JSON.stringify(value) : error!
    tellProof(`${CLIENT}: ${call}`, { requests: requests.slice(-3).join(', '), result: result.slice(0, 100) })
  }
}

async function rows({ base }: ServiceProcess, stream: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${base}/v3/namespaces/${NAMESPACE}/streams/${stream}/events?encoding=utf8`)
  if (answer.status !== 200) return []
  return ((await answer.json()) as { body: string }[]).map(({ body }) => JSON.parse(body))
}
