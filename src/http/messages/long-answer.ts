/**
 * Answers of any length, in pieces that are made as fast as the client reads them.
 *
 * An answer that fits into one piece is sent with a Content-Length. A longer one is written to node's answer directly, in
 * chunks: a web stream costs more than making the text, and does not report when a piece is sent and its buffer is free.
 *
 * The status is sent with the first piece. A failure after that closes the connection, so the client sees a body without its
 * end.
 */
import type { ServerResponse } from 'node:http'
import type { HttpContext } from '../server/bindings.ts'
import type { Load } from '../server/load.ts'
import type { MayGoOn, OpenAnswers } from '../server/open-answers.ts'
import type { ReadSlot } from '../server/read-slots.ts'
import type { SlowClients } from '../server/slow-clients.ts'
import type { TransferPace } from '../server/transfer-pace.ts'
import type { ReportFailure } from './problems.ts'

export interface LongAnswerOptions {
  readonly load: Load
  readonly slowClients: SlowClients
  readonly openAnswers: OpenAnswers
  readonly report: ReportFailure
}

type Pieces = AsyncGenerator<Uint8Array, void, undefined>

/** Pieces of which the first two have been made; `second` is undefined if there is only one. */
export interface BegunPieces {
  readonly first: Uint8Array
  readonly second: Uint8Array | undefined
  readonly rest: Pieces
}

/**
 * Makes the first two of `pieces`, of which there is at least one. The generator must not change a piece before the next but
 * one is requested. Rejects with what `pieces` rejects with.
 */
export async function beginPieces(pieces: Pieces): Promise<BegunPieces> {
  const first = await pieces.next()
  const second = await pieces.next()
  return { first: first.value!, second: second.done ? undefined : second.value, rest: pieces }
}

/**
 * Answers 200 with all pieces. Stops when the client disconnects, is cut off as too slow, or loses its access (`mayGoOn`
 * returns false). Rejects with ServiceError 'overloaded' if too many long answers are being sent and none ends in time.
 */
export async function answerPieces(
  c: HttpContext,
  { first, second, rest }: BegunPieces,
  headers: Record<string, string>,
  { load, slowClients, openAnswers, report }: LongAnswerOptions,
  mayGoOn?: MayGoOn,
): Promise<Response> {
  const { outgoing } = c.env
  if (second === undefined) {
    outgoing.writeHead(200, { ...headers, 'Content-Length': first.length })
    outgoing.end(first)
    return ALREADY_SENT
  }
  let slot: ReadSlot
  try {
    slot = await load.readSlots.enter(load.clientOf(c.env.incoming), () => outgoing.destroy())
  } catch (error) {
    await rest.return()
    throw error
  }
  // A client that closes its side during a long answer has nearly always disconnected, so the rest is not made.
  const { socket } = outgoing
  const gone = () => outgoing.destroy()
  if (socket?.readableEnded) gone()
  else socket?.once('end', gone)
  const writer = new PieceWriter(outgoing, slot.pace)
  const watched = slowClients.watchReader(outgoing, () => slot.pace.moved)
  const unwatch = openAnswers.watch(c, () => outgoing.destroy(), mayGoOn)
  try {
    outgoing.writeHead(200, headers)
    if (await writeAll(writer, [first, second], rest)) {
      outgoing.end()
      await writer.isOut()
    }
  } catch (error) {
    report(error)
    outgoing.destroy()
  } finally {
    unwatch()
    socket?.off('end', gone)
    slowClients.forget(watched)
    slot.leave()
    await rest.return()
  }
  return ALREADY_SENT
}

/** Returns whether all pieces were written before the client disconnected. */
async function writeAll(
  writer: PieceWriter,
  begun: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  for (const piece of begun) if (!(await writer.write(piece))) return false
  for await (const piece of rest) if (!(await writer.write(piece))) return false
  return true
}

/** At most two pieces are in flight: one that the system is sending, one behind it. */
class PieceWriter {
  readonly #outgoing: ServerResponse
  readonly #pace: TransferPace
  #inFlight = 0
  #closed: boolean
  #wake: () => void = () => {}

  /** `pace` counts the bytes that the system has accepted, and the time in which it accepted none. */
  constructor(outgoing: ServerResponse, pace: TransferPace) {
    this.#outgoing = outgoing
    this.#pace = pace
    pace.stopAwaiting()
    this.#closed = outgoing.destroyed
    outgoing.once('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** Resolves when the piece before this one is sent; with false if the client has disconnected. */
  async write(piece: Uint8Array): Promise<boolean> {
    if (this.#closed) return false
    this.#inFlight++
    this.#outgoing.write(piece, () => {
      this.#inFlight--
      this.#pace.moved += piece.length
      this.#wake()
    })
    await this.#until(1)
    return !this.#closed
  }

  /** Resolves when all pieces are sent, or the client has disconnected. */
  isOut(): Promise<void> {
    return this.#until(0)
  }

  /** Resolves when at most this many pieces are in flight. */
  async #until(most: number): Promise<void> {
    if (this.#inFlight <= most || this.#closed) return
    this.#pace.awaitClient()
    while (this.#inFlight > most && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#pace.stopAwaiting()
  }
}

/**
 * Tells @hono/node-server that the answer has been sent. It reads this header only of the platform's own responses, which a
 * clone always is.
 */
export const ALREADY_SENT = new Response(null, { headers: { 'x-hono-already-sent': 'true' } }).clone()
