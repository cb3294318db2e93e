/**
 * The export of a stream, for `millrace import`: one line for each event, with its position and its exact bytes.
 *
 *   {"timestamp":1407806944181,"headers":{},"body":"Hello World","sequence":0}
 *   {"timestamp":1407806944181,"headers":{},"body":"/wA=","encoding":"base64","sequence":1}
 *   {"end":true,"events":2,"crc32c":"9a3b1c77","cursor":"…"}      with "gaps":true if the sequences have gaps
 *
 * The checksum of the last line covers all bytes before that line, so the import detects a missing part. `cursor` is the
 * position after the last event, absent without events: `after` continues the next export there.
 */
import { crc32c } from '@node-rs/crc32'
import type { EventBlock, Position } from '../../../storage/log.ts'
import type { EventRead, Streams } from '../../streams/streams.ts'
import { assertAcceptable } from '../messages/accept.ts'
import { answerPieces, beginPieces } from '../messages/long-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { streamOf } from '../server/path-names.ts'
import type { CursorPrinter } from './cursor.ts'
import { eventJson } from './event-json.ts'
import { type EventReadOptions, parseEventQuery, printerOf } from './event-reads.ts'

const HEADERS = { 'Content-Type': 'application/x-ndjson' }

/** Returns the handler of `GET …/export`. */
export function exportRoute(streams: Streams, options: EventReadOptions) {
  return async (c: HttpContext) => {
    const id = streamOf(c)
    const query = parseEventQuery(c, id, options.nowMs())
    streams.get(id) // a missing stream is reported before other problems
    assertAcceptable(c, HEADERS['Content-Type'])
    const pieces = await options.load.whileFinding(async () => {
      const read = await streams.read(id, query)
      if (c.req.method !== 'HEAD') {
        return beginPieces(
          read === undefined ? noLines() : exportLines(read, await printerOf(streams, id, read)),
        )
      }
      await read?.blocks.return()
      return undefined
    })
    return pieces === undefined ? c.body(null, 200, HEADERS) : answerPieces(c, pieces, HEADERS, options)
  }
}

async function* noLines(): AsyncGenerator<Uint8Array, void, undefined> {
  yield closingLine(0, 0)
}

/** Pieces of text; each is valid until the next but one is requested. */
async function* exportLines(
  read: EventRead,
  cursors: CursorPrinter,
): AsyncGenerator<Uint8Array, void, undefined> {
  const counted = new CountedBlocks(read.blocks)
  let checksum = 0
  for await (const piece of eventJson(counted, { encoding: 'utf8', layout: 'ndjson', sequences: true })) {
    checksum = crc32c(piece, checksum)
    yield piece
  }
  const { sequence, timestampMs } = counted.last
  yield closingLine(counted.events, checksum, cursors.print(sequence, timestampMs), counted.hasGaps)
}

function closingLine(events: number, checksum: number, cursor?: string, hasGaps = false): Buffer {
  const crc = checksum.toString(16).padStart(8, '0')
  return Buffer.from(
    `${JSON.stringify({ end: true, events, crc32c: crc, cursor, ...(hasGaps && { gaps: true }) })}\n`,
  )
}

/** Yields the blocks and counts their events. */
class CountedBlocks implements AsyncIterable<EventBlock> {
  readonly #blocks: AsyncIterable<EventBlock>
  events = 0
  hasGaps = false
  last: Position = { timestampMs: 0, sequence: 0 }

  constructor(blocks: AsyncIterable<EventBlock>) {
    this.#blocks = blocks
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EventBlock, void, undefined> {
    for await (const block of this.#blocks) {
      for (const { begin, end, timestampMs } of block.runs) {
        const first = block.firstSequence + begin
        if (this.events > 0 && first !== this.last.sequence + 1) this.hasGaps = true
        this.events += end - begin
        this.last = { timestampMs, sequence: block.firstSequence + end - 1 }
      }
      yield block
    }
  }
}
