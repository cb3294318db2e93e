// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have parameters in this form
/** Jars: upload, list, plan, run, delete; hostile bodies; what happens to them at a stop. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTable, FLINK, jsonBody } from '../../support/aiven.ts'
import { BOUNDARY, type FilePart, jarOf, multipart } from '../../support/jars.ts'
import {
  type RequestOptions,
  startTestApp,
  type TestApp,
  type TestAppOptions,
  type TestResponse,
  testApp,
} from '../../support/test-app.ts'

const SQL = 'INSERT INTO HIGH\nSELECT item, price FROM ${from} WHERE price > ${least};\n'
const SQL_JAR = jarOf({ 'high.sql': SQL })
const CLASS_JAR = jarOf({
  'META-INF/MANIFEST.MF': 'Main-Class: org.example.Main\n',
  'org/example/Main.class': 'x',
})
const NO_JOB = 'b63c78c70033e00afa84de9029257e31'

const jarApp = (options: TestAppOptions = {}) => testApp({ nowMs: Date.now(), onDisk: true, ...options })

/** With the tables PRICES and HIGH. Has to be stopped. */
async function appWithTables() {
  const app = await startTestApp({ nowMs: Date.now(), onDisk: true, streams: ['prices'] })
  for (const name of ['PRICES', 'HIGH'])
    await createTable(app, { name, schema_sql: 'item STRING, price INT' })
  return app
}

function seen({ status, headers, text }: TestResponse): unknown {
  expect(headers['content-type']).toBe('application/json; charset=UTF-8')
  return [status, JSON.parse(text)]
}
const refused = (status: number, ...errors: unknown[]) => [status, { errors }]

async function uploaded(
  app: TestApp,
  file = 'high.jar',
  content: Uint8Array | string = SQL_JAR,
  part = 'jarfile',
) {
  const answer = await app.post('/v1/jars/upload', multipart([{ part, file, content }]))
  expect(answer.status, answer.text).toBe(200)
  return (answer.json() as { filename: string }).filename.split('/').at(-1)!
}

const folderOf = (app: TestApp) => join(app.dataFolder, 'jars')

test.each(['', '/v1', '/v3/namespaces/default/flink'])(
  'a jar is uploaded, listed and deleted at %j',
  async (at) => {
    const app = await jarApp()
    expect(seen(await app.get(`${at}/jars`))).toEqual([
      200,
      { address: `http://127.0.0.1:${app.port}`, files: [] },
    ])
    const answer = await app.post(
      `${at}/jars/upload`,
      multipart([{ part: 'file', file: 'Main.jar', content: CLASS_JAR }]),
    )
    const filename = expect.stringMatching(/^\/.*\/jars\/[0-9a-f-]{36}_Main\.jar$/)
    expect(seen(answer)).toEqual([200, { filename, status: 'success' }])
    const id = (answer.json() as { filename: string }).filename.split('/').at(-1)!
    const entry = [{ name: 'org.example.Main', description: null }]
    const list = { files: [{ id, name: 'Main.jar', uploaded: app.nowMs, entry }] }
    expect((await app.get(`${at}/jars`)).json()).toMatchObject(list)
    await app.restart()
    expect((await app.get(`${at}/jars`)).json()).toMatchObject(list)
    expect(seen(await app.delete(`${at}/jars/${id}`))).toEqual([200, {}])
    expect(seen(await app.delete(`${at}/jars/${id}`))).toEqual(
      refused(400, `File ${id} does not exist in ${folderOf(app)}.`),
    )
    expect(await readdir(folderOf(app))).toEqual([])
  },
)

describe('uploads', () => {
  let app: Awaited<ReturnType<typeof startTestApp>>
  beforeAll(async () => {
    app = await startTestApp({ nowMs: Date.now(), onDisk: true })
  })
  afterAll(() => app.stop())

  test.each<{ what: string; parts: readonly FilePart[]; error: string }>([
    { what: 'no part', parts: [], error: 'Exactly 1 file must be sent, received 0.' },
    { what: 'a field', parts: [{ content: 'x' }], error: 'Exactly 1 file must be sent, received 0.' },
    {
      what: 'a file without a name',
      parts: [{ file: '', content: 'x' }],
      error: 'Exactly 1 file must be sent, received 0.',
    },
    {
      what: 'two files',
      parts: [
        { file: 'a.jar', content: 'x' },
        { file: 'b.jar', content: 'y' },
      ],
      error: 'Exactly 1 file must be sent, received 2.',
    },
    {
      what: 'three files',
      parts: [1, 2, 3].map((n) => ({ file: `${n}.jar`, content: 'x' })),
      error: 'Exactly 1 file must be sent, received 3.',
    },
    { what: 'another file', parts: [{ file: 'a.zip', content: 'x' }], error: 'Only Jar files are allowed.' },
    {
      what: 'only a folder',
      parts: [{ file: 'a.jar/', content: 'x' }],
      error: 'Only Jar files are allowed.',
    },
    {
      what: 'a control character in the name',
      parts: [{ file: 'a\u0001.jar', content: 'x' }],
      error: 'the file name has a slash or a control character; rename the file',
    },
  ])('with $what are refused', async ({ parts, error }) => {
    expect(seen(await app.post('/jars/upload', multipart(parts)))).toEqual(refused(400, error))
    expect(await readdir(folderOf(app)).catch(() => [])).toEqual([])
  })

  test.each<[string, RequestOptions, string]>([
    ['nothing', {}, 'Exactly 1 file must be sent, received 0.'],
    ['JSON', jsonBody({}), 'Exactly 1 file must be sent, received 0.'],
    [
      'no boundary',
      { headers: { 'Content-Type': 'multipart/form-data' }, body: 'x' },
      'Exactly 1 file must be sent, received 0.',
    ],
    [
      'a body that ends early',
      {
        ...multipart([{ file: 'a.jar', content: 'x' }]),
        body: `--${BOUNDARY}\r\nContent-Disposition: form-data; filename=a.jar\r\n\r\nx`,
      },
      'the body is no multipart/form-data: it ends before its last boundary',
    ],
  ])('of %s are refused', async (_, request, error) => {
    expect(seen(await app.post('/jars/upload', request))).toEqual(refused(400, error))
    expect(await readdir(folderOf(app)).catch(() => [])).toEqual([])
  })

  test.each([
    ['../../../etc/x.jar', 'x.jar'],
    ['C:\\\\Users\\\\me\\\\x.jar', 'x.jar'],
    ['..jar', '..jar'],
    ['x y%20_ü.jar', 'x y%20_ü.jar'],
  ])('a file named %j is stored in the folder of jars as %j', async (file, name) => {
    const id = await uploaded(app, file)
    expect((await app.get('/jars')).json()).toMatchObject({ files: [{ id, name }] })
    expect(await readdir(folderOf(app))).toEqual([id])
    expect(seen(await app.delete(`/jars/${encodeURIComponent(id)}`))).toEqual([200, {}])
  })

  test('compressed and in small chunks are taken, beside other fields of the form', async () => {
    const { headers, body } = multipart([
      { part: 'request', content: '{}' },
      { file: 'a.jar', content: SQL_JAR },
    ])
    const packed = gzipSync(body)
    const chunks = Array.from({ length: packed.length }, (_, i) => packed.subarray(i, i + 1))
    const answer = await app.post('/jars/upload', {
      headers: { ...headers, 'Content-Encoding': 'gzip' },
      chunks,
    })
    expect(answer.status, answer.text).toBe(200)
    const { files } = (await app.get('/jars')).json() as { files: { id: string; name: string }[] }
    expect(files.map(({ name }) => name)).toEqual(['a.jar'])
    await app.delete(`/jars/${files[0]!.id}`)
  })

  test('too large are refused, by their announced length, by what arrives, and by what it unpacks to', async () => {
    const app = await jarApp({ limits: { maxJarBytes: 100_000 } })
    await uploaded(app, 'a.jar', Buffer.alloc(100_000))
    const over = multipart([{ file: 'a.jar', content: Buffer.alloc(100_001) }])
    expect(seen(await app.post('/jars/upload', over))).toEqual(
      refused(413, 'the jar has more than 100000 bytes; at most 100000 bytes are taken'),
    )
    const far = multipart([{ file: 'a.jar', content: Buffer.alloc(3_000_000) }])
    const text = 'the body has more bytes than a jar may have; at most 100000 bytes are taken'
    expect(seen(await app.post('/jars/upload', far))).toEqual(refused(413, text))
    const field = multipart([{ content: Buffer.alloc(3_000_000) }, { file: 'a.jar', content: 'x' }])
    expect(
      seen(
        await app.post('/jars/upload', {
          ...field,
          headers: { ...field.headers, 'Content-Encoding': 'gzip' },
          body: gzipSync(field.body),
        }),
      ),
    ).toEqual(refused(413, text))
    expect(await readdir(folderOf(app))).toHaveLength(1)
  })

  test('beyond the number of jars are refused', async () => {
    const app = await jarApp({ limits: { maxJars: 1 } })
    await uploaded(app)
    const answer = await app.post('/jars/upload', multipart([{ file: 'b.jar', content: 'x' }]))
    expect(seen(answer)).toEqual(
      refused(expect.any(Number) as never, 'there are 1 jars, as many as possible; delete one'),
    )
  })

  test('while the disk has too little free space are refused', async () => {
    const app = await jarApp({ config: { minFreeDiskBytes: 10 }, freeBytes: () => 5 })
    const answer = await app.post('/jars/upload', multipart([{ file: 'b.jar', content: 'x' }]))
    expect(answer.text).toContain('the disk has 5 bytes free')
    expect(answer.headers['retry-after']).toBeDefined()
    expect(await readdir(folderOf(app)).catch(() => [])).toEqual([])
  })

  test('that a stop has broken off are removed at the start', async () => {
    const app = await jarApp()
    const id = await uploaded(app)
    await writeFile(join(folderOf(app), 'upload-0f8fad5b-d9cb-869f-a165-70867728950e.part'), 'half')
    await app.restart()
    await expect.poll(() => readdir(folderOf(app))).toEqual([id])
  })
})

describe('plan and run', () => {
  let app: Awaited<ReturnType<typeof appWithTables>>
  beforeAll(async () => {
    app = await appWithTables()
  })
  afterAll(() => app.stop())

  test('a SQL jar is planned, and runs', async () => {
    const id = await uploaded(app)
    const given = { programArgs: '--from PRICES --least "10"' }
    const planned = await app.post(`/v1/jars/${id}/plan`, jsonBody(given))
    expect(seen(planned)).toEqual([
      200,
      {
        plan: {
          jid: '0'.repeat(32),
          name: 'insert-into_HIGH',
          type: 'STREAMING',
          nodes: ['Source: PRICES', 'Calc', 'Sink: HIGH'].map((description) =>
            expect.objectContaining({ description }),
          ),
        },
      },
    ])
    const byQuery = await app.get(`/jars/${id}/plan?program-args=--from+PRICES+--least+10`)
    expect(byQuery.json()).toEqual(planned.json())

    const answer = await app.post(`/v1/jars/${id}/run`, jsonBody(given))
    expect(seen(answer)).toEqual([200, { jobid: expect.stringMatching(/^[0-9a-f]{32}$/) }])
    const { jobid } = answer.json() as { jobid: string }
    const job = (await app.get(`${FLINK}/job/${jobid}`)).json()
    expect(job).toMatchObject({
      name: 'insert-into_HIGH',
      millrace: { statement: 'INSERT INTO HIGH\nSELECT item, price FROM PRICES WHERE price > 10' },
    })
  })

  const A = 'INSERT INTO HIGH SELECT item, price FROM PRICES WHERE price > 9'
  test.each<{ what: string; entries: Record<string, string>; body?: object; query?: string; job: object }>([
    {
      what: 'scripts in the order of names',
      entries: { 'b.sql': A.replace('9', '2'), 'a.sql': `${A};` },
      job: { millrace: { statement: expect.stringMatching(/^EXECUTE STATEMENT SET.*> 9.*> 2.*END;$/s) } },
    },
    {
      what: 'tables and views of its own',
      entries: {
        'a.sql':
          "CREATE TEMPORARY TABLE P (item STRING, price INT) WITH ('connector' = 'stream', 'stream' = '${from}');",
        'b.sql': 'CREATE TEMPORARY VIEW PRICES AS SELECT * FROM P WHERE price > 1;',
        'c.sql': A,
      },
      body: { programArgs: '--from prices' },
      job: {
        millrace: { statement: A },
        vertices: [{ name: 'Source: P' }, { name: 'Calc' }, { name: 'Sink: HIGH' }],
      },
    },
    {
      what: 'a name in the script',
      entries: { 'a.sql': `SET 'pipeline.name' = 'Mine'; ${A}` },
      job: { name: 'Mine' },
    },
    {
      what: 'a name in the configuration',
      entries: { 'a.sql': `SET 'pipeline.name' = 'Mine'; ${A}` },
      body: { flinkConfiguration: { 'pipeline.name': 'Yours' } },
      job: { name: 'Yours' },
    },
    {
      what: 'a list of arguments',
      entries: { 'a.sql': A.replace('9', '${n}') },
      body: { programArgsList: ['--n', '7'] },
      job: { millrace: { statement: A.replace('9', '7') } },
    },
    {
      what: 'arguments in the query',
      entries: { 'a.sql': A.replace('9', '${n}') },
      query: 'programArg=--n,7',
      job: { millrace: { statement: A.replace('9', '7') } },
    },
    {
      what: 'arguments in both, of which the body counts',
      entries: { 'a.sql': A.replace('9', '${n}') },
      query: 'program-args=--n+7',
      body: { programArgs: '--n 8' },
      job: { millrace: { statement: A.replace('9', '8') } },
    },
    {
      what: 'all that clients send besides',
      entries: { 'a.sql': A },
      query: 'entry-class=A&parallelism=2&allowNonRestoredState=false',
      body: {
        entryClass: 'A',
        'entry-class': 'B',
        parallelism: 4,
        programArgs: '',
        savepointPath: '',
        claimMode: 'NO_CLAIM',
        restoreMode: null,
        unknown: [1],
      },
      job: {},
    },
    {
      what: 'texts for numbers, as the dashboard sends them',
      entries: { 'a.sql': A },
      body: {
        entryClass: null,
        parallelism: '2',
        programArgs: null,
        savepointPath: null,
        allowNonRestoredState: null,
      },
      job: {},
    },
    { what: 'no body', entries: { 'sql/a.sql': A }, job: {} },
    {
      what: 'the namespace as an argument',
      entries: { 'sql/a.sql': A },
      body: { programArgs: '--namespace default' },
      job: {},
    },
  ])('with $what', async ({ entries, body, query = '', job }) => {
    const id = await uploaded(app, 'a.jar', jarOf(entries))
    const answer = await app.post(`/jars/${id}/run?${query}`, body && jsonBody(body))
    expect(answer.status, answer.text).toBe(200)
    const { jobid } = answer.json() as { jobid: string }
    expect((await app.get(`${FLINK}/job/${jobid}`)).json()).toMatchObject({ jid: jobid, ...job })
  })

  const NOT = 'Could not execute application. '
  test.each<{ what: string; jar?: Uint8Array; body?: object; query?: string; error: string }>([
    {
      what: 'a jar of classes',
      jar: CLASS_JAR,
      error: 'x.jar holds Java classes; running it needs a Flink cluster (--flink URL)',
    },
    {
      what: 'a file that is no archive',
      jar: Buffer.from('text'),
      error: 'x.jar cannot be read: it is no ZIP archive, or its end is missing',
    },
    {
      what: 'an encrypted script',
      jar: jarOf([{ name: 'a.sql', content: A, flags: 1 }]),
      error: 'x.jar cannot be read: its entry a.sql is encrypted; store it without a password',
    },
    {
      what: 'a missing argument',
      error: `${NOT}high.sql has \${from}, and there is no argument --from; add --from VALUE to the program arguments`,
    },
    {
      what: 'an argument without a value',
      body: { programArgs: '--from' },
      error: `${NOT}the argument --from has no value; write --from value`,
    },
    { what: 'an unknown table', body: { programArgs: '--from NOPE --least 1' }, error: `${NOT}high.sql: ` },
    {
      what: 'an unknown namespace',
      body: { programArgs: '--namespace nope --from PRICES --least 1' },
      error: `${NOT}`,
    },
    {
      what: 'a wrong namespace',
      body: { programArgs: '--namespace a/b --from PRICES --least 1' },
      error: `${NOT}`,
    },
    {
      what: 'a script that creates a table',
      jar: jarOf({ 'a.sql': 'CREATE TABLE t (a INT)' }),
      error: `${NOT}a.sql: the script of a job has CREATE TEMPORARY TABLE and VIEW; `,
    },
    {
      what: 'both forms of arguments',
      body: { programArgs: '--a 1', programArgsList: ['--a', '1'] },
      error:
        'Confusing request: programArgs and programArgsList are specified, please, use only programArgsList',
    },
    {
      what: 'one form in the body, and one in the query',
      body: { programArgs: '--a 1' },
      query: 'programArg=--a,1',
      error:
        'Confusing request: programArgs and programArgsList are specified, please, use only programArgsList',
    },
    {
      what: 'a list for a body',
      body: [],
      error: 'Request did not match expected format JarRunRequestBody.',
    },
    {
      what: 'a wrong id',
      body: { jobId: 'x' },
      error: 'Request did not match expected format JarRunRequestBody.',
    },
    {
      what: 'a wrong list',
      body: { programArgsList: [{}] },
      error: 'Request did not match expected format JarRunRequestBody.',
    },
    {
      what: 'a wrong flag',
      body: { allowNonRestoredState: 'yes' },
      error: 'Request did not match expected format JarRunRequestBody.',
    },
    {
      what: 'a wrong flag in the query',
      query: 'allowNonRestoredState=yes',
      error:
        'Bad request, could not parse parameters: Cannot resolve query parameter (allowNonRestoredState) from value "yes".',
    },
    {
      what: 'no parallelism',
      body: { parallelism: 0 },
      error: 'parallelism is 0; use a whole number above 0',
    },
  ])('$what is refused', async ({ jar = SQL_JAR, body, query = '', error }) => {
    const id = await uploaded(app, 'x.jar', jar)
    const ids = async () =>
      ((await app.get(`${FLINK}/job`)).json() as { jobs: { id: string }[] }).jobs.map(({ id }) => id)
    const before = await ids()
    for (const action of ['plan', 'run']) {
      const answer = await app.post(`/jars/${id}/${action}?${query}`, body && jsonBody(body))
      expect(seen(answer)).toEqual(refused(400, expect.stringContaining(error)))
    }
    expect(await ids()).toEqual(before)
  })

  test('problems of statements have their place in the script', async () => {
    const scripts = {
      'a.sql': `${A};`,
      'b.sql': '-- second\nINSERT INTO HIGH\n  SELECT nope, price FROM PRICES',
    }
    const id = await uploaded(app, 'x.jar', jarOf(scripts))
    const { errors } = (await app.post(`/jars/${id}/run`)).json() as { errors: string[] }
    expect(errors[0]).toMatch(/^Could not execute application\. b\.sql: .* at line 3, column 10$/)
  })

  test('unknown jars', async () => {
    for (const id of ['nope.jar', '..%2Fsecret.key', 'a_b']) {
      const shown = decodeURIComponent(id)
      for (const path of ['plan', 'run']) {
        expect(seen(await app.post(`/jars/${id}/${path}`, jsonBody({ jobId: NO_JOB })))).toEqual(
          refused(400, `Jar file ${folderOf(app)}/${shown} does not exist`),
        )
      }
      expect(seen(await app.delete(`/jars/${id}`))).toEqual(
        refused(400, `File ${shown} does not exist in ${folderOf(app)}.`),
      )
    }
  })

  test('the namespace of the path is that of the job; another one among the arguments is refused', async () => {
    await app.put('/v3/namespaces/other')
    const id = await uploaded(app, 'x.jar', jarOf({ 'a.sql': A }))
    const at = `/v3/namespaces/other/flink/jars/${id}/run`
    expect(seen(await app.post(at))).toEqual(
      refused(400, expect.stringMatching(/^Could not execute application\. a\.sql: .*HIGH/)),
    )
    expect(seen(await app.post(at, jsonBody({ programArgs: '--namespace default' })))).toEqual(
      refused(
        400,
        `${NOT}--namespace is 'default', and the path is of the namespace 'other'; leave one of them out`,
      ),
    )
  })
})
