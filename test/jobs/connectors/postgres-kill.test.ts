/**
 * Exactly once into PostgreSQL while connections are cut at random points of the transaction and around it. Rows have no
 * key, so a row that is written twice is seen.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ConnectorError,
  type Emitted,
  type Outbox,
  type Sink,
} from '../../../src/jobs/connectors/connector.ts'
import { PostgresConnection } from '../../../src/jobs/connectors/postgres-connection.ts'
import { PostgresSink } from '../../../src/jobs/connectors/postgres-sink.ts'
import type { PostgresAccess } from '../../../src/tables/table.ts'
import { CuttingProxy } from '../../support/cutting-proxy.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { proven } from '../../support/proven.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const ROUNDS = 200
const ROWS = 5
/** A round has about this many messages of the client, a new connection and its settings included. */
const MESSAGES_MAX = 12

let server: TestPostgres
let proxy: CuttingProxy
let access: PostgresAccess

function outboxOf(round: number): Outbox {
  const numbers = Array.from({ length: ROWS }, (_, row) => round * ROWS + row)
  return {
    rowCount: ROWS,
    columns: [],
    async *chunks() {
      for (const part of [numbers.slice(0, 2), numbers.slice(2)]) {
        yield { ops: part.map(() => 'c' as const), columns: [part], rowCount: part.length }
      }
    },
  }
}

/** The caller's protocol: an error leaves the outcome open, so the record is read again. */
async function emitUntilRecorded(sink: Pick<Sink, 'recorded' | 'emit'>, epoch: number): Promise<void> {
  for (;;) {
    try {
      if ((await sink.recorded()) === epoch) return
      await sink.emit(epoch, outboxOf(epoch - 1))
    } catch (error) {
      if (!(error instanceof ConnectorError) || !error.passing) throw error
    }
  }
}

async function run(
  sink: Pick<Sink, 'recorded' | 'emit'>,
  seed: number,
): Promise<{ lost: number; doubled: number }> {
  const random = seededRandom(seed)
  const cuts = proxy.cuts
  for (let epoch = 1; epoch <= ROUNDS; epoch++) {
    proxy.cutAt(random.whole(0, MESSAGES_MAX - 1), random.next() < 0.5)
    await emitUntilRecorded(sink, epoch)
  }
  proxy.cutAt(Number.POSITIVE_INFINITY, false)
  expect(proxy.cuts - cuts).toBeGreaterThan(ROUNDS / 2)
  const counts = await server.sql('SELECT n, count(*)::int AS times FROM numbers GROUP BY n')
  return {
    lost: ROUNDS * ROWS - counts.length,
    doubled: counts.filter(({ times }) => (times as number) > 1).length,
  }
}

/** The fault that the record inside of the transaction prevents. */
class SinkWithLateRecord {
  readonly #connection = new PostgresConnection(access)

  async recorded(): Promise<number | 'none'> {
    const { rows } = await this.#connection.query('SELECT epoch FROM late_positions')
    return rows.length === 0 ? 'none' : Number(rows[0]![0])
  }

  async emit(epoch: number, outbox: Outbox): Promise<Emitted> {
    await this.#connection.transaction(async (query) => {
      for await (const { columns } of outbox.chunks()) {
        await query('INSERT INTO numbers SELECT unnest($1::bigint[])', [columns[0]!.map(String)])
      }
    })
    await this.#connection.query('DELETE FROM late_positions')
    await this.#connection.query('INSERT INTO late_positions VALUES ($1)', [epoch])
    return { records: 0, bytes: 0 }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

describe.skipIf(NO_POSTGRES !== undefined)(
  `PostgreSQL${NO_POSTGRES === undefined ? '' : `: ${NO_POSTGRES}`}`,
  () => {
    beforeAll(async () => {
      server = await TestPostgres.start()
      proxy = await CuttingProxy.start(server.port)
      access = {
        kind: 'postgres',
        connectionUri: server.uri().replace(`:${server.port}/`, `:${proxy.port}/`).concat('?sslmode=disable'),
      }
    })

    afterAll(async () => {
      await proxy?.close()
      await server?.remove()
    })

    test(`${ROUNDS} rounds with cut connections: no row is lost, none is there twice`, async () => {
      await server.sql('DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n BIGINT)')
      const sink = await PostgresSink.open({
        access,
        connector: {
          kind: 'jdbc',
          tableName: 'numbers',
          schema: undefined,
          table: 'numbers',
          lookupCacheTtlMs: 0,
          lookupCacheRowsMax: 0,
        },
        integrationId: undefined,
        columns: [{ name: 'n', type: { kind: 'BIGINT' }, nullable: true }],
        primaryKey: [],
        job: 'job',
        sink: 0,
      })
      const found = await run(sink, 1)
      await proven(() => expect(found).toEqual({ lost: 0, doubled: 0 }))
      await sink.close()
    })

    test('the record in a transaction of its own: rows are there twice', async () => {
      await server.sql(
        'DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n BIGINT); CREATE TABLE late_positions (epoch BIGINT)',
      )
      const sink = new SinkWithLateRecord()
      const { lost, doubled } = await run(sink, 1)
      expect(lost).toBe(0)
      expect(doubled).toBeGreaterThan(0)
      await sink.close()
    })
  },
)
