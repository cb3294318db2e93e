/**
 * A process that applies groups of rows to a row store until it is killed. It prints the number of a group when its events would be
 * durable, then applies it.
 */
import { encodeRow } from '../../dist/src/cdc/worker/row-coding.js'
import { RowStore } from '../../dist/src/cdc/worker/row-store.js'
import { changesOf, LIMITS } from './rows-changes.mjs'

const store = await RowStore.open(process.argv[2], LIMITS)
for (let n = Number(store.lsn ?? 0n) + 1; ; n++) {
  for (const [index, { op, table, key, row }] of changesOf(n).entries()) {
    if (op === 'clear') store.clear(table)
    else if (op === 'remove') store.remove(table, key)
    else store.put(table, key, encodeRow(row))
    if (index % 200 === 199) await store.relieve()
  }
  store.seal(BigInt(n))
  // The next groups are sealed before this one is durable.
  if (n % 3 === 0) {
    await new Promise((resolve) => process.stdout.write(`${n}\n`, resolve))
    await store.apply(BigInt(n))
    if (n % 30 === 0) await store.sync()
  }
}
