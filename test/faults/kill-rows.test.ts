/**
 * The row store of capture is killed at random moments: in writes, in the staging of a large group, in the move of its rows. Each
 * next opening holds exactly the rows of the groups up to its LSN, and never a group whose events were not durable.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { RowTexts } from '../../src/cdc/events/row-bytes.ts'
import { effort, SEED, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { TextRowStore as RowStore } from '../support/text-row-store.ts'
import { changesOf, KEYS, LIMITS, TABLES } from './rows-changes.mjs'

const WORKER = fileURLToPath(new URL('rows-worker.mjs', import.meta.url))
const ROUNDS = effort({ short: 15, long: 60 })

test(
  'after each kill the row store holds the groups up to its LSN',
  async () => {
    const random = seededRandom(SEED)
    const folder = await temporaryFolder()
    const model = new Map<string, RowTexts>()
    let at = 0
    for (let round = 0; round < ROUNDS; round++) {
      const durable = await killed(folder, random.whole(0, 400))
      const store = await RowStore.open(folder, LIMITS)
      const lsn = Number(store.lsn ?? 0n)
      await proven(() => {
        expect(lsn).toBeGreaterThanOrEqual(at)
        expect(lsn).toBeLessThanOrEqual(Math.max(at, durable))
        for (; at < lsn; at++) changeModel(model, at + 1)
        expect(held(store)).toEqual(model)
      })
      await store.close()
    }
    expect(at).toBeGreaterThan(ROUNDS)
    tellProof('rows', { kills: ROUNDS, groups: at, rows: model.size })
  },
  effort({ short: 180_000, long: 540_000 }),
)

/** Kills the process at this time after its first group. Returns the last group that it called durable. */
async function killed(folder: string, afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [WORKER, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  const ended = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), ended])
  setTimeout(() => child.kill('SIGKILL'), afterMs)
  const [, signal] = (await ended) as [number, string]
  expect(signal).toBe('SIGKILL')
  return Number(printed.split('\n').at(-2) ?? 0)
}

function changeModel(model: Map<string, RowTexts>, group: number): void {
  for (const { op, table, key, row } of changesOf(group)) {
    if (op === 'clear') {
      for (const known of [...model.keys()]) if (known.startsWith(`${table} `)) model.delete(known)
    } else if (op === 'remove') {
      model.delete(`${table} ${key[0]}`)
    } else {
      model.set(`${table} ${key[0]}`, row)
    }
  }
}

function held(store: RowStore): Map<string, RowTexts> {
  const rows = new Map<string, RowTexts>()
  for (const table of TABLES) {
    for (let key = 0; key < KEYS; key++) {
      const row = store.get(table, [String(key)])
      if (row !== undefined) rows.set(`${table} ${key}`, row)
    }
  }
  return rows
}
