/** Writes of events and documents, on a catalog and logs that follow a script. */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../../storage/kafka/catalog-replay.ts'
import { DocumentOrder } from '../../../storage/kafka/document-order.ts'
import { KafkaStorage, type KafkaStorageParts } from '../../../storage/kafka/kafka-storage.ts'
import { Outcomes } from '../../../storage/kafka/outcomes.ts'
import { StorageError } from '../../../storage/storage-error.ts'

const WRITE = {
  appends: [{ log: 1, events: [{ headers: [], body: Buffer.from('x') }] }],
  changes: [{ collection: 'c', id: 'x', document: 1 }],
}
const CONDITIONAL = { ...WRITE, conditions: [{ collection: 'c', id: 'x', version: undefined }] }

interface Script {
  /** What the replay decides about the intent; an error is thrown. */
  readonly intent?: Outcome | StorageError
  /** What it decides about the write after its commit. */
  readonly settle?: Outcome
  readonly isDropped?: () => boolean
  readonly inOrder?: KafkaStorageParts['writers']['inOrder']
  readonly add?: () => Promise<undefined>
}

function storageOf({ intent = 'locked', settle = 'done', isDropped = () => false, inOrder, add }: Script) {
  const outcomes = new Outcomes()
  const order = new DocumentOrder()
  const unlocked: unknown[] = []
  let n = 0
  const sender = () => ({ node: 'a', life: 1, n: ++n })
  const parts = {
    opened: {
      outcomes,
      order,
      writer: { sender, flushed: async () => {} },
      keeper: { unlock: async (...call: unknown[]) => void unlocked.push(call) },
      catalog: {
        isOutdated: () => false,
        async decide(make: (from: object) => unknown) {
          make(sender())
          if (intent instanceof StorageError) throw intent
          return intent
        },
      },
    },
    log: { noteWritten() {} },
    writers: { inOrder: inOrder ?? ((_: unknown, work: () => Promise<unknown>) => work()), isDropped },
    topics: { ensure: async () => {}, nameOf: (log: number) => `log.${log}` },
    transactions: {
      async run(_: number, work: (open: object) => Promise<unknown>) {
        const result = await work({ id: 't.0', add: add ?? (async () => ({ timestampMs: 1, sequence: 0 })) })
        outcomes.decided({ node: 'a', life: 1, n }, settle)
        return result
      },
    },
    report: () => {},
  } as unknown as KafkaStorageParts
  return { storage: new KafkaStorage(parts), order, unlocked }
}

const unavailable = new StorageError('unavailable', 'no broker')
const refusals: { name: string; script: Script; code: string; unlocked: unknown[] }[] = [
  {
    name: 'whose intent may be applied later',
    script: { intent: new StorageError('unknown', 'it may be stored') },
    code: 'unknown',
    unlocked: [[{ from: { node: 'a', life: 1, n: 1 }, transaction: 't.0' }, true]],
  },
  {
    name: 'whose events cannot be stored',
    script: { add: () => Promise.reject(unavailable) },
    code: 'unavailable',
    unlocked: [[{ from: { node: 'a', life: 1, n: 1 }, transaction: 't.0' }, true]],
  },
  {
    name: 'to a log that was dropped meanwhile',
    script: { add: () => Promise.reject(unavailable), isDropped: () => true },
    code: 'dropped',
    unlocked: [[{ from: { node: 'a', life: 1, n: 1 }, transaction: 't.0' }, true]],
  },
  {
    name: 'whose lock was released before its commit',
    script: { settle: 'released' },
    code: 'unknown',
    unlocked: [],
  },
]

describe('a conditional write', () => {
  test.each(refusals)('$name rejects with $code', async ({ script, code, unlocked: expected }) => {
    const { storage, unlocked } = storageOf(script)
    await expect(storage.write(CONDITIONAL)).rejects.toMatchObject({ code })
    expect(unlocked).toEqual(expected)
  })

  test('whose conditions do not hold has no lock to end', async () => {
    const { storage, unlocked } = storageOf({ intent: 'conflict' })
    expect(await storage.write(CONDITIONAL)).toEqual({ outcome: 'conflict', positions: [] })
    expect(unlocked).toEqual([])
  })
})

test('a write that fails before its turn rejects for its caller alone', async () => {
  const dropped = new StorageError('dropped', 'log 1 is being dropped')
  const { storage, order } = storageOf({ inOrder: () => Promise.reject(dropped) })
  let end = () => {}
  const before = order.write(
    { reads: [], writes: ['c/x'] },
    () => new Promise<void>((resolve) => (end = resolve)),
  )
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  try {
    const written = storage.write(WRITE)
    await new Promise((resolve) => setTimeout(resolve, 10))
    end()
    await expect(written).rejects.toBe(dropped)
    await before
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})
