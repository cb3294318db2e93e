/**
 * The stream of changes of a slot: its messages in order, which are decoded when they are taken, and the positions that are reported to the server. Reading from the
 * server stops while many messages wait. Positions are reported all the time, also while nothing is read, so that the server does not
 * end the connection (wal_sender_timeout).
 */

import { maxLsn } from '../lsn.ts'
import { CaptureProblem } from './capture-problem.ts'
import type { DatabaseAddress } from './database-address.ts'
import { DatabaseSession, quotedIdentifier, quotedText, type SessionLimits } from './database-session.ts'
import { MessageDecoder, MessageHead, type StreamMessage, statusUpdate } from './pgoutput.ts'

/** Bytes of messages that wait; reading goes on at a quarter. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024
const STATUS_MS = 1_000

export class ChangeStream {
  readonly #session: DatabaseSession
  readonly #nowUs: () => bigint
  readonly #silenceMs: number
  readonly #decoder = new MessageDecoder()
  /** Of the last message that has arrived. */
  readonly #head = new MessageHead()
  /** Messages that wait: the buffer of each, and where it begins and ends there. */
  #buffers: Buffer[] = []
  #places: number[] = []
  #at = 0
  #waitingBytes = 0
  #isPaused = false
  #failure: CaptureProblem | undefined
  #closed = false
  #wake: () => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #flushedLsn = 0n
  #lastReceivedMs = performance.now()

  private constructor(session: DatabaseSession, silenceMs: number, nowUs: () => bigint) {
    this.#session = session
    this.#silenceMs = silenceMs
    this.#nowUs = nowUs
  }

  /** Begins after the last confirmed position of the slot. Rejects with CaptureProblem. */
  static async open(
    address: DatabaseAddress,
    names: { readonly slot: string; readonly publication: string },
    limits: SessionLimits,
    nowUs: () => bigint,
  ): Promise<ChangeStream> {
    const session = await DatabaseSession.open(address, limits, { replication: true })
    const stream = new ChangeStream(session, limits.silenceMs, nowUs)
    try {
      await stream.#start(names, limits.statementMs)
      return stream
    } catch (error) {
      stream.close()
      throw error
    }
  }

  /**
   * The next message, valid until the next call; undefined if none has arrived. Throws CaptureProblem when the stream is broken and all
   * messages were taken.
   */
  take(): StreamMessage | undefined {
    for (;;) {
      if (this.#at === this.#buffers.length) {
        if (this.#failure !== undefined) throw this.#failure
        return undefined
      }
      const message = this.#decodeNext()
      if (message !== undefined) return message
    }
  }

  #decodeNext(): StreamMessage | undefined {
    const bytes = this.#buffers[this.#at]!
    const start = this.#places[2 * this.#at]!
    const end = this.#places[2 * this.#at++ + 1]!
    this.#waitingBytes -= end - start
    if (this.#at === this.#buffers.length) {
      this.#buffers = []
      this.#places = []
      this.#at = 0
    }
    if (this.#isPaused && this.#waitingBytes <= WAITING_BYTES_MAX / 4) {
      this.#isPaused = false
      this.#lastReceivedMs = performance.now()
      this.#session.resume()
    }
    try {
      return this.#decoder.decode(bytes, start, end)
    } catch (error) {
      this.#fail(new CaptureProblem('database_rejected', String((error as Error).message), false))
      throw this.#failure
    }
  }

  /** Resolves when there is a message, when the stream is broken, or after `wake`. */
  async arrival(): Promise<void> {
    if (this.#at < this.#buffers.length || this.#failure !== undefined) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  wake(): void {
    this.#wake()
  }

  /** Reports that the server need not send again what was committed before this position. */
  confirm(lsn: bigint): void {
    this.#flushedLsn = maxLsn(this.#flushedLsn, lsn)
    this.#report(false)
  }

  /** Asks the server for a keep-alive message with its position. */
  ask(): void {
    this.#report(true)
  }

  /** Ends the stream. Nothing is sent any more. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#session.destroy()
    this.#failure ??= new CaptureProblem('database_unreachable', 'the stream of changes is closed', true)
    this.#wake()
  }

  #start(
    { slot, publication }: { readonly slot: string; readonly publication: string },
    limitMs: number,
  ): Promise<void> {
    const options = `proto_version '1', publication_names ${quotedText(quotedIdentifier(publication))}`
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#fail(
          new CaptureProblem(
            'database_unreachable',
            `the database did not answer within ${limitMs / 1000} s`,
            true,
          ),
        )
      }, limitMs)
      this.#session.copy(`START_REPLICATION SLOT ${quotedIdentifier(slot)} LOGICAL 0/0 (${options})`, {
        started: () => {
          clearTimeout(late)
          this.#timer = setInterval(() => this.#tick(), STATUS_MS)
          resolve()
        },
        row: (bytes, start, end) => this.#arrive(bytes, start, end),
        ended: (problem) => {
          clearTimeout(late)
          this.#fail(
            problem ?? new CaptureProblem('database_unreachable', 'the database has ended the stream', true),
          )
          reject(this.#failure)
        },
      })
      this.#session.onFailure((problem) => {
        clearTimeout(late)
        this.#fail(problem)
        reject(problem)
      })
    })
  }

  #arrive(bytes: Buffer, start: number, end: number): void {
    if (this.#failure !== undefined) return
    this.#lastReceivedMs = performance.now()
    try {
      this.#head.read(bytes, start, end)
      if (this.#head.wantsReply) this.#report(false)
    } catch (error) {
      this.#fail(new CaptureProblem('database_rejected', String((error as Error).message), false))
      return
    }
    this.#buffers.push(bytes)
    this.#places.push(start, end)
    this.#waitingBytes += end - start
    if (this.#waitingBytes > WAITING_BYTES_MAX && !this.#isPaused) {
      this.#isPaused = true
      this.#session.pause()
    }
    this.#wake()
  }

  /** Also asks a silent server for a sign of life. A server whose messages are not read cannot be heard. */
  #tick(): void {
    if (this.#isPaused) this.#lastReceivedMs = performance.now()
    const silentMs = performance.now() - this.#lastReceivedMs
    if (silentMs > this.#silenceMs) {
      const seconds = Math.round(silentMs / 1000)
      this.#fail(
        new CaptureProblem('database_unreachable', `the database has sent nothing for ${seconds} s`, true),
      )
    } else this.#report(silentMs > this.#silenceMs / 4)
  }

  #report(wantsReply: boolean): void {
    if (this.#closed || this.#failure !== undefined) return
    this.#session.send(statusUpdate(this.#head.endLsn, this.#flushedLsn, this.#nowUs(), wantsReply))
  }

  #fail(problem: CaptureProblem): void {
    if (this.#failure !== undefined) return
    this.#failure = problem
    clearInterval(this.#timer)
    this.#session.destroy()
    this.#wake()
  }
}
