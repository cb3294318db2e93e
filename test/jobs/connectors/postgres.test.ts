/** Lookup, scan and sink of a real PostgreSQL: values of all types, refusals, rights, and a database that is not there. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Value } from '../../../src/formats/record-reader.ts'
import type { Outbox, RowChunk, RowOp } from '../../../src/jobs/connectors/connector.ts'
import type { ConnectorContext } from '../../../src/jobs/connectors/connector-context.ts'
import { openLookup, openScan, openSink, openSource } from '../../../src/jobs/connectors/index.ts'
import { PostgresConnection } from '../../../src/jobs/connectors/postgres-connection.ts'
import { PostgresLookup } from '../../../src/jobs/connectors/postgres-lookup.ts'
import { PostgresScan, SCAN_ROWS } from '../../../src/jobs/connectors/postgres-scan.ts'
import { PostgresSink } from '../../../src/jobs/connectors/postgres-sink.ts'
import { checkLookup, checkScan, checkSink } from '../../../src/jobs/connectors/table-checks.ts'
import type { ConnectedTable } from '../../../src/jobs/worker/job-worker-protocol.ts'
import type { DataType, TypedColumn } from '../../../src/sql/data-types.ts'
import type { JdbcConnector, PostgresAccess } from '../../../src/tables/table.ts'
import { selfSigned } from '../../support/certificates.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { connectedClient } from '../../support/postgres-client.ts'
import { sharedFolder } from '../../support/shared-folder.ts'

const FAST = { connectMs: 1_000, statementMs: 1_000 }

let server: TestPostgres
let access: PostgresAccess

const jdbc = (table: string, schema?: string): JdbcConnector => ({
  kind: 'jdbc',
  tableName: schema === undefined ? table : `${schema}.${table}`,
  schema,
  table,
  lookupCacheTtlMs: 0,
  lookupCacheRowsMax: 0,
})
const column = (name: string, type: DataType | 'INT' | 'STRING' | 'BIGINT' | 'DOUBLE'): TypedColumn => ({
  name,
  type: typeof type === 'string' ? { kind: type } : type,
  nullable: true,
})
const chunkOf = (rows: readonly (readonly [RowOp, ...Value[]])[]): RowChunk => ({
  ops: rows.map(([op]) => op),
  columns: (rows[0] ?? []).slice(1).map((_, index) => rows.map((row) => row[index + 1] as Value)),
  rowCount: rows.length,
})
const outboxOf = (...chunks: RowChunk[]): Outbox => ({
  rowCount: chunks.reduce((sum, { rowCount }) => sum + rowCount, 0),
  columns: [],
  async *chunks() {
    yield* chunks
  },
})

describe.skipIf(NO_POSTGRES !== undefined)(
  `PostgreSQL${NO_POSTGRES === undefined ? '' : `: ${NO_POSTGRES}`}`,
  () => {
    beforeAll(async () => {
      server = await TestPostgres.start()
      access = { kind: 'postgres', connectionUri: server.uri() }
    })

    afterAll(() => server?.remove())

    const lookup = (table: string, columns: TypedColumn[], keyColumns: TypedColumn[], more: object = {}) =>
      PostgresLookup.open({
        access,
        connector: jdbc(table),
        integrationId: 'i-1',
        columns,
        keyColumns,
        limits: FAST,
        ...more,
      })

    describe('lookup', () => {
      beforeAll(async () => {
        await server.sql(`
        CREATE TABLE cpu_thresholds (hostname VARCHAR, allowed_top INT);
        INSERT INTO cpu_thresholds VALUES ('doc',20),('grumpy',30),('doc',21),('é"''\\',NULL);
        CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE TABLE many (n INT PRIMARY KEY, u UUID, m mood, c CHAR(5), j JSONB, t TEXT);
        INSERT INTO many SELECT i, CAST(lpad(to_hex(i), 32, '0') AS uuid), CASE i % 2 WHEN 0 THEN 'sad' ELSE 'happy' END::mood, 'c' || i % 10, jsonb_build_object('i', i), 't' || i FROM generate_series(1, 30000) i;
      `)
      })

      test('rows of keys, several for one key, none for a missing key', async () => {
        const columns = [column('hostname', 'STRING'), column('allowed_top', 'INT')]
        const found = await lookup('cpu_thresholds', columns, [columns[0]!])
        expect((await found.fetch([['doc'], ['unknown'], ['é"\'\\'], ['\0']])).map(String).sort()).toEqual([
          'doc,20',
          'doc,21',
          'é"\'\\,',
        ])
        expect(await found.fetch([])).toEqual([])
        await found.close()
      })

      const keys: readonly (readonly [name: string, key: TypedColumn, values: Value[], rows: number])[] = [
        ['integer', column('n', 'INT'), [5, 30_001], 1],
        ['integer beyond the range of the column', column('n', 'BIGINT'), [5_000_000_000], 0],
        ['decimal', column('n', { kind: 'DECIMAL', precision: 5, scale: 1 }), [50], 1],
        ['uuid', column('u', 'STRING'), ['00000000-0000-0000-0000-000000000007', 'no uuid'], 1],
        ['enum', column('m', 'STRING'), ['happy', 'angry'], 15_000],
        ['char', column('c', 'STRING'), ['c3'], 3_000],
        ['json', column('j', 'STRING'), ['{"i": 3}'], 1],
      ]
      test.each(keys)('by a key of type %s', async (_, key, values, rows) => {
        const found = await lookup('many', [key], [key])
        expect(await found.fetch(values.map((value) => [value]))).toHaveLength(rows)
        await found.close()
      })

      test('25,000 keys of two columns are three statements', async () => {
        const columns = [column('n', 'INT'), column('t', 'STRING')]
        const found = await lookup('many', columns, columns)
        const wanted = Array.from({ length: 25_000 }, (_, n) => [n + 10_000, `t${n + 10_000}`])
        expect(await found.fetch(wanted)).toHaveLength(20_001)
        await found.close()
      })

      test('more rows than fit into memory are an error that stays', async () => {
        const key = column('m', 'STRING')
        const found = await lookup('many', [key], [key], { rowsMax: 14_999 })
        await expect(found.fetch([['happy']])).rejects.toMatchObject({
          message: 'relation "many" has more than 14999 rows for 1 keys; join on columns that select fewer',
          passing: false,
        })
        await found.close()
      })

      test('an index answers', async () => {
        await server.sql('ANALYZE many')
        const plan = await server.sql(
          `EXPLAIN SELECT * FROM many t WHERE t."n" = ANY (CAST('{1,2}'::text[] AS bigint[]))`,
        )
        expect(JSON.stringify(plan)).toContain('many_pkey')
      })
    })

    describe('what is refused when a connector opens', () => {
      beforeAll(() =>
        server.sql(
          'CREATE TABLE kinds (i INT, t TEXT, b BYTEA, PRIMARY KEY (i)); CREATE SCHEMA other; CREATE TABLE other.elsewhere (i INT); CREATE UNIQUE INDEX ON kinds (t) WHERE i > 0',
        ),
      )

      const refused: readonly (readonly [table: string, columns: TypedColumn[], message: string])[] = [
        ['missing', [], 'relation "missing" does not exist in integration i-1'],
        ['elsewhere', [], 'relation "elsewhere" does not exist in integration i-1'],
        ['kinds"; DROP TABLE kinds; --', [], 'does not exist in integration i-1'],
        ['kinds', [column('j', 'INT')], 'relation "kinds" has no column j'],
        ['kinds', [column('t', 'INT')], 'column t of relation "kinds" is text, which does not fit INT'],
        [
          'kinds',
          [column('b', { kind: 'DATE' })],
          'column b of relation "kinds" is bytea, which does not fit DATE',
        ],
        [
          'kinds',
          [column('i', { kind: 'BOOLEAN' })],
          'column i of relation "kinds" is integer, which does not fit BOOLEAN',
        ],
      ]
      test.each(refused)('%s %o', async (table, columns, message) => {
        const opening = PostgresScan.open({
          access,
          connector: jdbc(table),
          integrationId: 'i-1',
          columns,
          limits: FAST,
        })
        await expect(opening).rejects.toMatchObject({
          message: expect.stringContaining(message),
          passing: false,
        })
      })

      test('a schema is found by name', async () => {
        const scan = await PostgresScan.open({
          access,
          connector: jdbc('elsewhere', 'other'),
          integrationId: 'i-1',
          columns: [column('i', 'INT')],
        })
        await scan.close()
      })

      test.each([
        [['t'], 'PRIMARY KEY (t)'],
        [['i', 't'], 'PRIMARY KEY (i, t)'],
      ])('a sink with key %o and no unique index', async (primaryKey, text) => {
        const columns = [column('i', 'INT'), column('t', 'STRING')]
        const opening = PostgresSink.open({
          access,
          connector: jdbc('kinds'),
          integrationId: 'i-1',
          columns,
          primaryKey,
          job: 'j',
          sink: 0,
        })
        await expect(opening).rejects.toMatchObject({
          message: `relation "kinds" has no unique index for ${text}`,
          passing: false,
        })
      })

      test.each([
        ['postgres://u:p@127.0.0.1:1/db', /ECONNREFUSED/, true],
        ['not a uri', /connection_uri is no URI/, false],
        ['postgres://u:p@127.0.0.1:1/db?sslmode=odd', /sslmode is 'odd'; use disable/, false],
      ])('%s', async (connectionUri, message, passing) => {
        const opening = PostgresScan.open({
          access: { kind: 'postgres', connectionUri },
          connector: jdbc('kinds'),
          integrationId: 'i-1',
          columns: [],
          limits: FAST,
        })
        await expect(opening).rejects.toMatchObject({ message: expect.stringMatching(message), passing })
      })

      test('a server without TLS is refused where TLS is required', async () => {
        const opening = PostgresScan.open({
          access: { kind: 'postgres', connectionUri: server.uri('postgres', '?sslmode=require') },
          connector: jdbc('kinds'),
          integrationId: 'i-1',
          columns: [],
        })
        await expect(opening).rejects.toThrow('The server does not support SSL connections')
      })

      test('an unknown user or database is an error that stays and has no secret', async () => {
        const opening = PostgresScan.open({
          access: { kind: 'postgres', connectionUri: server.uri('secret-word') },
          connector: jdbc('kinds'),
          integrationId: 'i-1',
          columns: [],
        })
        await expect(opening).rejects.toMatchObject({
          message: expect.not.stringContaining('secret-word'),
          passing: false,
        })
      })
    })

    describe('all types', () => {
      const moment = 1_633_956_789_277_123
      const typed: readonly (readonly [name: string, type: DataType, stored: string, value: Value])[] = [
        ['a', { kind: 'BOOLEAN' }, 'boolean', true],
        ['b', { kind: 'TINYINT' }, 'smallint', -128],
        ['c', { kind: 'SMALLINT' }, 'smallint', 32_767],
        ['d', { kind: 'INT' }, 'integer', -2_147_483_648],
        ['e', { kind: 'BIGINT' }, 'bigint', 9_223_372_036_854_775_807n],
        ['f', { kind: 'BIGINT' }, 'integer', 3],
        ['g', { kind: 'FLOAT' }, 'real', Math.fround(0.1)],
        ['h', { kind: 'DOUBLE' }, 'double precision', 0.1 + 0.2],
        ['i', { kind: 'DOUBLE' }, 'double precision', Number.NEGATIVE_INFINITY],
        [
          'j',
          { kind: 'DECIMAL', precision: 38, scale: 10 },
          'numeric(38,10)',
          -12_345_678_901_234_567_890_123_456_780_123_456_789n,
        ],
        ['k', { kind: 'STRING' }, 'text', 'é"\'\\,{}NULL\n'],
        ['l', { kind: 'STRING' }, 'uuid', '00000000-0000-0000-0000-000000000007'],
        ['m', { kind: 'STRING' }, 'jsonb', '{"a": [1, "x"]}'],
        ['n', { kind: 'VARCHAR', length: 3 }, 'varchar(3)', 'abc'],
        ['o', { kind: 'BYTES' }, 'bytea', Uint8Array.of(0, 92, 255)],
        ['p', { kind: 'DATE' }, 'date', -719_162],
        ['q', { kind: 'TIME' }, 'time', 46_389_000_000],
        ['r', { kind: 'TIMESTAMP', precision: 6 }, 'timestamp', moment],
        ['s', { kind: 'TIMESTAMP', precision: 3 }, 'timestamp(3)', 1_633_956_789_277_000],
        ['t', { kind: 'TIMESTAMP_LTZ', precision: 6 }, 'timestamptz', moment],
        ['u', { kind: 'TIMESTAMP_LTZ', precision: 6 }, 'timestamp', moment],
        ['v', { kind: 'ARRAY', element: { kind: 'INT' } }, 'integer[]', [1, null, -3]],
        ['w', { kind: 'ARRAY', element: { kind: 'STRING' } }, 'text[]', ['a"b\\', '', 'NULL', null]],
        [
          'x',
          { kind: 'MAP', key: { kind: 'STRING' }, value: { kind: 'INT' } },
          'jsonb',
          new Map([['k"', 1]]),
        ],
        [
          'y',
          { kind: 'ROW', fields: [{ name: 'z', type: { kind: 'DECIMAL', precision: 5, scale: 2 } }] },
          'jsonb',
          new Map([['z', 1250]]),
        ],
        ['z', { kind: 'CHAR', length: 4 }, 'char(4)', 'ab'],
      ]

      test('values written are values read, and NULLs', async () => {
        await server.sql(
          `CREATE TABLE types (${typed.map(([name, , stored]) => `${name} ${stored}`).join(', ')})`,
        )
        const columns = typed.map(([name, type]) => column(name, type))
        const place = { access, connector: jdbc('types'), integrationId: 'i-1', columns }
        const sink = await PostgresSink.open({ ...place, primaryKey: [], job: 'types', sink: 0 })
        const values = typed.map(([, , , value]) => value)
        await sink.emit(
          1,
          outboxOf(
            chunkOf([
              ['c', ...values],
              ['c', ...values.map(() => null)],
            ]),
          ),
        )
        await sink.close()
        const scan = await PostgresScan.open(place)
        const rows: unknown[] = []
        for await (const piece of scan.rows()) rows.push(...piece)
        await scan.close()
        expect(rows).toEqual([values, values.map(() => null)])
      })

      test('a text that is too long is an error that stays, and nothing is written', async () => {
        await server.sql('CREATE TABLE narrow (t VARCHAR(3), n SMALLINT)')
        const columns = [column('t', 'STRING'), column('n', 'BIGINT')]
        const sink = await PostgresSink.open({
          access,
          connector: jdbc('narrow'),
          integrationId: 'i-1',
          columns,
          primaryKey: [],
          job: 'narrow',
          sink: 0,
        })
        await expect(
          sink.emit(
            1,
            outboxOf(
              chunkOf([
                ['c', 'abc', 1],
                ['c', 'abcd', 1],
              ]),
            ),
          ),
        ).rejects.toMatchObject({ passing: false, message: expect.stringContaining('too long') })
        await expect(sink.emit(1, outboxOf(chunkOf([['c', 'abc', 70_000]])))).rejects.toMatchObject({
          passing: false,
          message: expect.stringContaining('out of range'),
        })
        expect(await server.sql('SELECT * FROM narrow')).toEqual([])
        expect(await sink.recorded()).toBe('none')
        await sink.close()
      })

      test('a scan has all rows, in pieces', async () => {
        const count = 2 * SCAN_ROWS + 1
        await server.sql(`CREATE TABLE long AS SELECT i FROM generate_series(1, ${count}) i`)
        const scan = await PostgresScan.open({
          access,
          connector: jdbc('long'),
          integrationId: 'i-1',
          columns: [column('i', 'INT')],
        })
        const sizes: number[] = []
        for await (const piece of scan.rows()) sizes.push(piece.length)
        expect(sizes).toEqual([SCAN_ROWS, SCAN_ROWS, 1])
        await scan.close()
      })
    })

    describe('sink', () => {
      const columns = [column('k', 'INT'), column('v', 'STRING')]
      const open = (more: object = {}) =>
        PostgresSink.open({
          access,
          connector: jdbc('upserts'),
          integrationId: 'i-1',
          columns,
          primaryKey: ['k'],
          job: 'job',
          sink: 0,
          limits: FAST,
          ...more,
        })
      const rows = () => server.sql('SELECT k, v FROM upserts ORDER BY k')

      beforeEach(() =>
        server.sql(
          'DROP TABLE IF EXISTS upserts, millrace_positions; CREATE TABLE upserts (k INT PRIMARY KEY, v TEXT)',
        ),
      )

      test('inserts, updates, deletes; the last change of a key counts, within and across chunks', async () => {
        const sink = await open()
        expect(await sink.recorded()).toBe('none')
        const first = chunkOf([
          ['c', 1, 'a'],
          ['c', 2, 'a'],
          ['b', 1, 'a'],
          ['u', 1, 'b'],
          ['c', 3, 'a'],
          ['d', 3, 'a'],
          ['d', 9, null],
        ])
        await sink.emit(
          1,
          outboxOf(
            first,
            chunkOf([
              ['d', 2, 'a'],
              ['c', 4, 'a'],
            ]),
          ),
        )
        expect(await rows()).toEqual([
          { k: 1, v: 'b' },
          { k: 4, v: 'a' },
        ])
        await sink.emit(
          2,
          outboxOf(
            chunkOf([
              ['d', 1, 'b'],
              ['c', 1, 'c'],
              ['u', 4, null],
            ]),
          ),
        )
        expect(await rows()).toEqual([
          { k: 1, v: 'c' },
          { k: 4, v: null },
        ])
        expect(await sink.recorded()).toBe(2)
        await expect(sink.emit(2, outboxOf(chunkOf([['d', 1, 'b']])))).rejects.toMatchObject({
          passing: true,
        })
        expect(await rows()).toHaveLength(2)
        await sink.close()
      })

      test('sinks of one job, and jobs, have records of their own', async () => {
        const sinks = await Promise.all([open(), open({ sink: 1 }), open({ job: 'other' })])
        await sinks[0]!.emit(7, outboxOf(chunkOf([['c', 1, 'a']])))
        expect(await Promise.all(sinks.map((sink) => sink.recorded()))).toEqual([7, 'none', 'none'])
        await Promise.all(sinks.map((sink) => sink.close()))
      })

      test('only key columns', async () => {
        await server.sql('DROP TABLE upserts; CREATE TABLE upserts (k INT PRIMARY KEY)')
        const sink = await open({ columns: [columns[0]!] })
        await sink.emit(1, outboxOf(chunkOf([['c', 1]])))
        await sink.emit(
          2,
          outboxOf(
            chunkOf([
              ['c', 1],
              ['c', 2],
            ]),
          ),
        )
        await sink.emit(3, outboxOf(chunkOf([['d', 1]])))
        expect(await server.sql('SELECT k FROM upserts')).toEqual([{ k: 2 }])
        await sink.close()
      })

      test('a user without the right to create tables: a warning, and no record', async () => {
        await server.sql(
          `DO $$ BEGIN CREATE ROLE writer LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; GRANT ALL ON upserts TO writer`,
        )
        const limited = { access: { kind: 'postgres', connectionUri: server.uri('writer') } }
        const sink = await open(limited)
        expect(sink.warnings).toEqual([
          'table upserts: the database user cannot create the table millrace_positions, so rows with the same key are written again after a failure, with the same result',
        ])
        expect(await sink.recorded()).toBe('unknowable')
        await sink.emit(1, outboxOf(chunkOf([['c', 1, 'a']])))
        await sink.emit(1, outboxOf(chunkOf([['c', 1, 'a']])))
        expect(await rows()).toHaveLength(1)
        await sink.close()
        const plain = await open({ ...limited, primaryKey: [] })
        expect(plain.warnings[0]).toContain('rows may be written twice after a failure')
        await plain.close()
      })

      test('a table dropped under the job is an error that stays', async () => {
        const sink = await open()
        await server.sql('DROP TABLE upserts')
        await expect(sink.emit(1, outboxOf(chunkOf([['c', 1, 'a']])))).rejects.toMatchObject({
          passing: false,
          message: expect.stringContaining('42P01'),
        })
        await sink.close()
      })

      test('stopped, started again, crashed, paused: errors that pass within bounded time, then it goes on', async () => {
        const sink = await open()
        await sink.emit(1, outboxOf(chunkOf([['c', 1, 'a']])))
        const failure = async (epoch: number) => {
          const startMs = performance.now()
          await expect(sink.emit(epoch, outboxOf(chunkOf([['c', epoch, 'a']])))).rejects.toMatchObject({
            name: 'ConnectorError',
            passing: true,
          })
          expect(performance.now() - startMs).toBeLessThan(20_000)
        }
        await server.stop()
        await failure(2)
        await failure(2)
        await server.resume()
        expect(await sink.recorded()).toBe(1)
        await sink.emit(2, outboxOf(chunkOf([['c', 2, 'a']])))
        await server.crash()
        await failure(3)
        await server.resume()
        expect(await sink.recorded()).toBe(2)
        server.pause()
        await failure(3)
        server.continue()
        await expect.poll(() => sink.recorded().catch(() => 'away')).toBe(2)
        await sink.emit(3, outboxOf(chunkOf([['c', 3, 'a']])))
        expect(await rows()).toHaveLength(3)
        await sink.close()
      })

      test('a row that is locked: the time limit of the statement, an error that passes', async () => {
        const sink = await open()
        await sink.emit(1, outboxOf(chunkOf([['c', 1, 'a']])))
        const other = await connectedClient(server.uri())
        await other.query('BEGIN; UPDATE upserts SET v = v')
        await expect(sink.emit(2, outboxOf(chunkOf([['c', 1, 'b']])))).rejects.toMatchObject({
          passing: true,
          message: expect.stringContaining('57014'),
        })
        await other.end()
        expect(await sink.recorded()).toBe(1)
        await sink.emit(2, outboxOf(chunkOf([['c', 1, 'b']])))
        await sink.close()
      })
    })

    describe('by the plan of a job', () => {
      const context = { jid: 'f'.repeat(32) } as ConnectorContext
      const tableOf = (name: string, physical: TypedColumn[], primaryKey: string[] = []): ConnectedTable => ({
        id: 't',
        name,
        connector: jdbc(name),
        access,
        physical,
        primaryKey,
        stream: undefined,
        integrationId: 'i-1',
      })
      const physical = [column('Host', 'STRING'), column('USAGE', 'INT')]
      const sinkPlan = { tableId: 't', tableName: 'mixed', columns: physical, primaryKey: ['Host'] }
      const lookupPlan = {
        relation: 'l0',
        tableId: 't',
        tableName: 'mixed',
        columns: physical,
        keyColumns: ['Host'],
        keys: '',
      }

      test('names of plans are those of the database', async () => {
        await server.sql('CREATE TABLE mixed ("Host" TEXT PRIMARY KEY, "USAGE" INT)')
        const table = tableOf('mixed', physical, ['Host'])
        expect(await checkSink(table, sinkPlan, context.jid, 0)).toEqual([])
        const sink = await openSink(table, sinkPlan, 0, context)
        await sink.emit(1, outboxOf(chunkOf([['c', 'doc', 20]])))
        expect(await sink.recorded()).toBe(1)
        const found = await openLookup(table, lookupPlan, context)
        expect(await found.fetch([['doc']])).toEqual([['doc', 20]])
        const scan = await openScan(table, physical, context)
        for await (const rows of scan.rows()) expect(rows).toEqual([['doc', 20]])
        await Promise.all([sink.close(), found.close(), scan.close()])
      })

      test('checks before a job is created', async () => {
        const missing = tableOf('nowhere', physical, ['Host'])
        const text = 'relation "nowhere" does not exist in integration i-1'
        await expect(checkSink(missing, sinkPlan, context.jid, 0)).rejects.toThrow(text)
        await expect(checkLookup(missing, lookupPlan)).rejects.toThrow(text)
        await expect(checkScan(missing, physical)).rejects.toThrow(text)
        const other = { ...missing, connector: { kind: 'print' } as const }
        await expect(checkScan(other, physical)).rejects.toThrow(
          'table nowhere of kind print cannot be read as a whole',
        )
        await expect(openSource(other, [], 0, context)).rejects.toThrow('cannot be read as events')
      })
    })

    describe('TLS', () => {
      const folder = sharedFolder()

      beforeAll(async () => {
        const { certificate, key } = await selfSigned(folder.path, 'postgres')
        await server.useTls(readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8'))
      })

      const modes: readonly (readonly [mode: string, encrypted: 't' | 'f'])[] = [
        ['', 't'],
        ['?sslmode=prefer', 't'],
        ['?sslmode=require', 't'],
        ['?sslmode=disable', 'f'],
      ]
      test.each(modes)('%s', async (mode, encrypted) => {
        const connection = new PostgresConnection({
          kind: 'postgres',
          connectionUri: server.uri('postgres', mode),
        })
        const { rows } = await connection.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
        expect(rows).toEqual([[encrypted]])
        await connection.close()
      })

      test.each(['verify-ca', 'verify-full'])(
        '%s does not accept a certificate that no authority has signed',
        async (mode) => {
          const uri = server.uri('postgres', `?sslmode=${mode}`)
          const connection = new PostgresConnection({ kind: 'postgres', connectionUri: uri })
          await expect(connection.query('SELECT 1')).rejects.toThrow('self-signed certificate')
          await connection.close()
        },
      )
    })
  },
)
