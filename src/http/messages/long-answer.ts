/**
 * Answers of any length: text in pieces, made as fast as the client takes it.
 *
 * One that fits into its first piece is an answer like any other, with a Content-Length. A longer one is written to
 * node's answer by ourselves, in chunks: a web stream in between costs more than making the text, and would not say when
 * a piece is out and its buffer free.
 *
 * The status is out with the first piece, so a failure after that can only be told by cutting the connection, which
 * leaves the text without its end.
 */
import type { ServerResponse } from 'node:http'
import type { HttpContext } from '../server/bindings.ts'
import type { Load } from '../server/load.ts'
import type { MayGoOn, OpenAnswers } from '../server/open-answers.ts'
import type { ReadPlace } from '../server/read-places.ts'
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

/** Pieces of which the first two have been made; without the second there was one alone. */
export interface BegunPieces {
  readonly first: Uint8Array
  readonly second: Uint8Array | undefined
  readonly rest: Pieces
}

/**
 * Makes the first two `pieces`, of which there is at least one; each has to stay as it is until the next but one is asked
 * for. Rejects with what they reject with.
 */
export async function beginPieces(pieces: Pieces): Promise<BegunPieces> {
  const first = await pieces.next()
  const second = await pieces.next()
  return { first: first.value!, second: second.done ? undefined : second.value, rest: pieces }
}

/**
 * Answers 200 with all of them. Nothing more is asked for once the client has gone, has been given up as too slow, or may not
 * have it any more.
 * Rejects with ServiceError 'overloaded' if too many long answers are being sent and none of them ends for a while.
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
  let place: ReadPlace
  try {
    place = await load.readPlaces.enter(load.clientOf(c.env.incoming), () => outgoing.destroy())
  } catch (error) {
    await rest.return()
    throw error
  }
  // A client that closes its side during a long answer has nearly always gone: making the rest would be for nobody.
  const { socket } = outgoing
  const gone = () => outgoing.destroy()
  if (socket?.readableEnded) gone()
  else socket?.once('end', gone)
  const writer = new PieceWriter(outgoing, place.pace)
  const watched = slowClients.watchReader(outgoing, () => place.pace.moved)
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
    place.leave()
    await rest.return()
  }
  return ALREADY_SENT
}

/** Whether all of it has been handed to a client who is still there. */
async function writeAll(
  writer: PieceWriter,
  begun: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  for (const piece of begun) if (!(await writer.write(piece))) return false
  for await (const piece of rest) if (!(await writer.write(piece))) return false
  return true
}

/** Two pieces at most are on their way at a time: one that the system is sending, one that waits for it. */
class PieceWriter {
  readonly #outgoing: ServerResponse
  readonly #pace: TransferPace
  #underWay = 0
  #closed: boolean
  #wake: () => void = () => {}

  /** `pace` counts what the system has taken, and the time in which it took nothing. */
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

  /** Resolves once the piece before this one is out; with false if nobody takes it any more. */
  async write(piece: Uint8Array): Promise<boolean> {
    if (this.#closed) return false
    this.#underWay++
    this.#outgoing.write(piece, () => {
      this.#underWay--
      this.#pace.moved += piece.length
      this.#wake()
    })
    await this.#until(1)
    return !this.#closed
  }

  /** Resolves once all pieces are out, or nobody takes them any more. */
  isOut(): Promise<void> {
    return this.#until(0)
  }

  /** No more pieces than so many are under way. */
  async #until(most: number): Promise<void> {
    if (this.#underWay <= most || this.#closed) return
    this.#pace.awaitClient()
    while (this.#underWay > most && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#pace.stopAwaiting()
  }
}

/**
 * What @hono/node-server takes as word that nothing is left to send. It looks for the header in responses of the
 * platform's own only, which a clone always is.
 */
export const ALREADY_SENT = new Response(null, { headers: { 'x-hono-already-sent': 'true' } }).clone()
