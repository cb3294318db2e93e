/**
 * The clients of cdap-ingest, which write to streams: the one for Java from Maven Central, the one for Python from PyPI. Those
 * for JavaScript and Ruby, the file tailer and the Flume sink are not run: test/http/client-habits.test.ts has their requests.
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startTestApp } from '../support/test-app.ts'
import { clientJars, compiled, type Fetched, pythonPackages } from './client-files.ts'
import { callsOf, type Expected, expectCalls, run, tellSkipped } from './client-run.ts'

const PYTHON_PACKAGES = [
  'cdap-stream-client==1.0.2',
  'cdap-auth-client==1.0.2',
  'six==1.17.0',
  'requests==2.32.3',
  'urllib3==2.2.3',
  'idna==3.10',
  'certifi==2024.8.30',
  'charset-normalizer==3.4.0',
]
const PYTHON_PROGRAM = fileURLToPath(new URL('python/ingest_calls.py', import.meta.url))

const DONE = { value: null }
const CREATED: Expected = {
  create: DONE,
  'create again': DONE,
  'set ttl': DONE,
  'create another': DONE,
  truncate: DONE,
}

interface IngestClient {
  readonly client: string
  readonly fetch: () => Fetched
  readonly command: (folder: string) => readonly string[]
  readonly expected: Expected
  readonly events: readonly object[]
}

const clients: IngestClient[] = [
  {
    client: 'cdap-stream-client for Java 1.0.1',
    fetch: () => clientJars('ingest'),
    command: (folder) => ['java', ...compiled(folder, 'IngestCalls')],
    expected: {
      ...CREATED,
      'get ttl': { value: 86_400 },
      'ttl of nope': { error: 'HttpFailureException' },
      write: DONE,
      'write with headers': DONE,
      'write bytes': DONE,
      'close writer': DONE,
      'writer of nope': { error: 'HttpFailureException' },
      'truncate nope': { error: 'HttpFailureException' },
    },
    events: [
      { body: 'one', headers: {} },
      { body: 'zwölf', headers: { k: 'v' } },
      { body: '\u0001\u0002', headers: {} },
    ],
  },
  {
    client: 'cdap-stream-client for Python 1.0.2',
    fetch: () => pythonPackages(PYTHON_PACKAGES),
    command: (folder) => ['python3', PYTHON_PROGRAM, folder],
    expected: {
      ...CREATED,
      'get ttl': { value: 88_888 },
      'ttl of nope': { error: 'Code: 404' },
      write: { value: 200 },
      'write text beyond ASCII': { value: 200 },
      'write nothing': { value: 200 },
      'writer of nope': { error: 'Code: 404' },
      'write with headers': { value: 200 },
      'truncate nope': { error: 'Code: 404' },
    },
    events: [
      { body: 'one', headers: {} },
      { body: 'zwölf', headers: {} },
      { body: '', headers: {} },
      { body: 'two', headers: { k: 'v' } },
    ],
  },
]

test.for(clients)('$client', async ({ client, fetch, command, expected, events }, { skip }) => {
  const fetched = fetch()
  if ('missing' in fetched) {
    tellSkipped(client, fetched.missing)
    return skip(fetched.missing)
  }
  const app = await startTestApp({ onDisk: true, nowMs: Date.now() })
  try {
    const [program, ...args] = command(fetched.folder)
    expectCalls(client, callsOf(await run(program!, [...args, '127.0.0.1', `${app.port}`])), expected)
    const stored = await app.events('x', 'encoding=utf8')
    expect(stored.map(({ body, headers }) => ({ body, headers }))).toEqual(events)
    expect(app.reported).toEqual([])
  } finally {
    await app.stop()
  }
})
