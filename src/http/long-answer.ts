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
import type { HttpContext } from './bindings.ts'
import type { Load } from './load.ts'
import type { ReportFailure } from './problems.ts'
import type { SlowClients } from './slow-clients.ts'

export interface LongAnswerOptions {
  readonly load: Load
  readonly slowClients: SlowClients
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
 * Answers 200 with all of them. Nothing more is asked for once the client has gone, or has been given up as too slow.
 * Rejects with ServiceError 'overloaded' if too many long answers are being sent.
 */
export async function answerPieces(
  c: HttpContext,
  { first, second, rest }: BegunPieces,
  headers: Record<string, string>,
  { load, slowClients, report }: LongAnswerOptions,
): Promise<Response> {
  const { outgoing } = c.env
  if (second === undefined) {
    outgoing.writeHead(200, { ...headers, 'Content-Length': first.length })
    outgoing.end(first)
    return ALREADY_SENT
  }
  try {
    load.beginRead()
  } catch (error) {
    await rest.return()
    throw error
  }
  // A client that closes its side during a long answer has nearly always gone: making the rest would be for nobody.
  const { socket } = outgoing
  const gone = () => outgoing.destroy()
  if (socket?.readableEnded) gone()
  else socket?.once('end', gone)
  const writer = new PieceWriter(outgoing)
  const watched = slowClients.watchReader(outgoing, () => writer.bytesOut)
  try {
    outgoing.writeHead(200, headers)
    if (await writeAll(writer, [first, second], rest)) outgoing.end()
  } catch (error) {
    report(error)
    outgoing.destroy()
  } finally {
    socket?.off('end', gone)
    slowClients.forget(watched)
    load.endRead()
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
  #underWay = 0
  #closed: boolean
  #wake: () => void = () => {}
  /** Of the pieces that the system has taken. */
  bytesOut = 0

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing
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
      this.bytesOut += piece.length
      this.#wake()
    })
    while (this.#underWay > 1 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return !this.#closed
  }
}

/**
 * What @hono/node-server takes as word that nothing is left to send. It looks for the header in responses of the
 * platform's own only, which a clone always is.
 */
export const ALREADY_SENT = new Response(null, { headers: { 'x-hono-already-sent': 'true' } }).clone()
