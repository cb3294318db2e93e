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
import type { ReportFailure } from './problems.ts'

/**
 * Answers 200 with all `pieces`, of which there is at least one; each has to stay as it is until the next but one is
 * asked for. Nothing more is asked for once the client has gone. Rejects with what the first two reject with.
 */
export async function answerPieces(
  c: HttpContext,
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
  headers: Record<string, string>,
  report: ReportFailure,
): Promise<Response> {
  const first = await pieces.next()
  const second = await pieces.next()
  const { outgoing } = c.env
  if (second.done) {
    outgoing.writeHead(200, { ...headers, 'Content-Length': first.value!.length })
    outgoing.end(first.value)
    return ALREADY_SENT
  }
  try {
    outgoing.writeHead(200, headers)
    if (await writeAll(outgoing, [first.value!, second.value], pieces)) outgoing.end()
  } catch (error) {
    report(error)
    outgoing.destroy()
  } finally {
    await pieces.return()
  }
  return ALREADY_SENT
}

/** Whether all of it has been handed to a client who is still there. */
async function writeAll(
  outgoing: ServerResponse,
  begun: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const writer = new PieceWriter(outgoing)
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
const ALREADY_SENT = new Response(null, { headers: { 'x-hono-already-sent': 'true' } }).clone()
