/** Closing an engine while connections to it are being opened. */
import { expect, test } from 'vitest'
import { openLocked } from '../../src/duckdb/locked-instance.ts'

const OPTIONS = { memoryBytes: 64 * 1024 * 1024, diskBytes: 0, spillFolder: '' }

test('an instance is closed after the connections that are being opened, and refuses later ones', async () => {
  const duckdb = await import('@duckdb/node-api')
  for (let round = 0; round < 30; round++) {
    const { instance, connection } = await openLocked(duckdb, OPTIONS, async () => {}, [])
    const opening = Array.from({ length: 8 }, () => instance.connect())
    const closed = instance.close()
    await expect(instance.connect()).rejects.toThrow('the engine is closed')
    await closed
    const rows = await Promise.all(opening.map(async (one) => (await (await one).run('SELECT 42')).getRows()))
    expect(rows).toEqual(opening.map(() => [[42]]))
    for (const one of opening) (await one).closeSync()
    connection.closeSync()
  }
})
