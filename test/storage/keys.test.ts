import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as keys from '../../storage/level/keys.ts'

const logs = fc.integer({ min: 1, max: 0xffff_ffff })
const counts = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })

describe('keys', () => {
  test('block keys sort like log, then time, then sequence', () => {
    fc.assert(
      fc.property(
        logs,
        counts,
        counts,
        logs,
        counts,
        counts,
        (log, time, sequence, log2, time2, sequence2) => {
          const byKey = Math.sign(
            keys.blockKey(log, time, sequence).compare(keys.blockKey(log2, time2, sequence2)),
          )
          expect(byKey).toBe(Math.sign(log - log2 || time - time2 || sequence - sequence2))
        },
      ),
    )
  })

  test('a position reads back from block and reference keys', () => {
    fc.assert(
      fc.property(logs, counts, counts, (log, time, sequence) => {
        for (const key of [keys.blockKey(log, time, sequence), keys.referenceKey(log, time, sequence)]) {
          expect([keys.timestampOfKey(key), keys.sequenceOfKey(key)]).toEqual([time, sequence])
        }
      }),
    )
  })

  test('a reference stands between its own position and the next', () => {
    fc.assert(
      fc.property(
        logs,
        counts,
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }),
        (log, time, sequence) => {
          const reference = keys.referenceKey(log, time, sequence)
          expect(keys.blockKey(log, time, sequence).compare(reference)).toBe(-1)
          expect(reference.compare(keys.blockKey(log, time, sequence + 1))).toBe(-1)
          expect(reference.compare(keys.afterLog(log))).toBe(-1)
        },
      ),
    )
  })

  test('the end of a log is before the beginning of the next', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff_fffe }), (log) => {
        expect(keys.afterLog(log).compare(keys.blockKey(log + 1, 0, 0))).toBe(-1)
      }),
    )
  })

  test('tail, piece and orphan keys read back', () => {
    fc.assert(
      fc.property(logs, counts, (log, count) => {
        expect(keys.logOfTailKey(keys.tailKey(log))).toBe(log)
        expect(keys.segmentOfOrphanKey(keys.orphanKey(count))).toBe(count)
        const piece = keys.pieceKey(log, count)
        expect([keys.segmentOfPieceKey(piece), keys.indexOfPieceKey(piece)]).toEqual([log, count])
      }),
    )
  })

  test('a document key is within its collection and no other', () => {
    const key = keys.documentKey('streams', 'default:é')
    const within = ({ gte, lt }: keys.KeyRange) => gte.compare(key) <= 0 && key.compare(lt) < 0
    expect(keys.idOfDocumentKey('streams', key.toString())).toBe('default:é')
    expect(['streams', 'stream', 'streamsx'].map((name) => within(keys.collectionRange(name)))).toEqual([
      true,
      false,
      false,
    ])
  })

  test('pieces sort behind every other key, so that a file which ends an upload overlaps no later piece', () => {
    fc.assert(
      fc.property(logs, counts, counts, fc.string(), (log, time, count, text) => {
        const others = [
          keys.blockKey(log, time, count),
          keys.referenceKey(log, time, count),
          keys.tailKey(log),
          keys.orphanKey(count),
          keys.documentKey(text, text),
        ]
        for (const key of others) expect(key.compare(keys.pieceKey(0, 0))).toBe(-1)
      }),
    )
  })

  test('keys on disk are what docs/storage-format.md says', () => {
    expect({
      block: keys.blockKey(1, 2, 3).toString('hex'),
      reference: keys.referenceKey(1, 2, 3).toString('hex'),
      tail: keys.tailKey(1).toString('hex'),
      piece: keys.pieceKey(1, 2).toString('hex'),
      orphan: keys.orphanKey(1).toString('hex'),
      document: keys.documentKey('c', 'i').toString('latin1'),
    }).toEqual({
      block: '650000000100000000000000020000000000000003',
      reference: '65000000010000000000000002000000000000000373',
      tail: '6c00000001',
      piece: '7300000000000000010000000000000002',
      orphan: '6f0000000000000001',
      document: 'cc\0i',
    })
  })
})
