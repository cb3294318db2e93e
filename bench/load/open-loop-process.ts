/**
 * An open-loop load: a fixed rate of requests, whatever the latency of the service, for the overload and soak tests. It is a
 * process of its own, on bare sockets, so that the load is not the bottleneck.
 *
 *   node open-loop-process.js '{"port":…,"path":…,…}'   ->  one line of JSON
 *
 * A connection carries one request at a time, as HTTP clients do it. A request that is due and finds no free connection
 * is not sent, and counted: without a rate the load is a closed loop. Times are from the writing of a request to the
 * end of its answer. Every event holds the number of its request, and the outcome of each is written to `outcomeFile`,
 * one byte per request.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type OpenLoopJob, type OpenLoopResult, OUTCOME } from './open-loop.ts'

/** Time for the answers that are missing at the end. */
const LAST_ANSWERS_MS = 2_000
/** Capacity of `outcomeFile`. */
const REQUESTS_MAX = 64_000_000
/** Connections opened at a time, before the load begins. */
const CONNECTING_MAX = 50
const HEAD_END = Buffer.from('\r\n\r\n')

/** Times in tenths of a millisecond, up to 10 s. */
class Times {
  readonly #counts = new Uint32Array(100_000)
  count = 0
  maxMs = 0

  add(ms: number): void {
    this.#counts[Math.min(this.#counts.length - 1, Math.round(ms * 10))]! += 1
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  percentileMs(share: number): number {
    let left = Math.ceil(this.count * share)
    for (const [tenths, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0) return tenths / 10
    }
    return this.maxMs
  }
}

class Load {
  readonly #job: OpenLoopJob
  readonly #head: string
  readonly #free: Connection[] = []
  readonly #outcomes: Buffer
  #startMs = 0
  #accepted: Times[] = []
  #refused: Times[] = []
  /** Seconds spent waiting for a core, by load and service, when each window began. */
  readonly #waited: (readonly number[])[] = []
  #sent = 0
  #skipped = 0
  #answered = 0
  readonly #others: Record<string, number> = {}

  constructor(job: OpenLoopJob) {
    this.#job = job
    this.#head = `POST ${job.path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${job.bodyBytes}\r\n\r\n${job.prefix}`
    this.#outcomes = Buffer.alloc(REQUESTS_MAX)
  }

  async run(): Promise<OpenLoopResult> {
    const { connections, seconds } = this.#job
    for (let opened = 0; opened < connections; opened += CONNECTING_MAX) {
      const some = Array.from(
        { length: Math.min(CONNECTING_MAX, connections - opened) },
        () => new Connection(this),
      )
      await Promise.all(some.map(({ connected }) => connected))
      this.#free.push(...some)
    }
    this.#startMs = performance.now()
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        this.#waited[this.#window] ??= [process.pid, this.#job.servicePid].map(secondsWaited)
        if (!this.#over) return this.#sendDue()
        clearInterval(timer)
        resolve()
      }, 1)
    })
    const deadlineMs = (seconds * 1000 + LAST_ANSWERS_MS) | 0
    while (this.#answered < this.#sent && this.#elapsedMs < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return this.#result()
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startMs
  }

  get #window(): number {
    return Math.floor(this.#elapsedMs / 1000 / this.#job.windowSeconds)
  }

  get #over(): boolean {
    return this.#elapsedMs >= this.#job.seconds * 1000
  }

  #sendDue(): void {
    const { ratePerSecond } = this.#job
    if (ratePerSecond === undefined) {
      while (this.#free.length > 0) this.#send(this.#free.shift()!)
      return
    }
    const due = Math.floor((this.#elapsedMs / 1000) * ratePerSecond) - this.#sent - this.#skipped
    const sending = this.#free.splice(0, Math.max(0, due)) // the longest idle first, so that all connections are used
    for (const connection of sending) this.#send(connection)
    this.#skipped += due - sending.length
  }

  #send(connection: Connection): void {
    const number = this.#sent++
    const digits = this.#job.bodyBytes - this.#job.prefix.length
    connection.send(number, this.#head + String(number).padStart(digits, '0'))
  }

  /** An answer is complete; `retry` is whether it says when to come back. */
  answered(connection: Connection, number: number, status: number, ms: number, retry: boolean): void {
    this.#answered++
    const window = this.#window
    let outcome: number = OUTCOME.other
    if (status === 200) {
      outcome = OUTCOME.accepted
      this.#timesOf(this.#accepted, window).add(ms)
    } else if (status === 503 && retry) {
      outcome = OUTCOME.refused
      this.#timesOf(this.#refused, window).add(ms)
    } else {
      this.#count(String(status))
    }
    this.#outcomes[number] = outcome
    this.release(connection)
  }

  release(connection: Connection): void {
    if (this.#over) connection.close()
    else if (this.#job.ratePerSecond === undefined) this.#send(connection)
    else this.#free.push(connection)
  }

  /** The connection ended; another one takes its place. */
  lost(connection: Connection, reason: string, busy: boolean): void {
    if (busy) this.#answered++
    if (this.#over) return
    this.#count(reason)
    const at = this.#free.indexOf(connection)
    if (at !== -1) this.#free.splice(at, 1)
    setTimeout(() => this.release(new Connection(this)), 100)
  }

  get port(): number {
    return this.#job.port
  }

  #starvedIn(window: number): number {
    const [before, after] = [this.#waited[window], this.#waited[window + 1]]
    if (before === undefined || after === undefined) return Number.NaN
    return (
      Math.max(...after.map((seconds, i) => seconds - (before[i] ?? Number.NaN))) / this.#job.windowSeconds
    )
  }

  #count(what: string): void {
    this.#others[what] = (this.#others[what] ?? 0) + 1
  }

  #timesOf(all: Times[], window: number): Times {
    all[window] ??= new Times()
    return all[window]
  }

  #result(): OpenLoopResult {
    writeFileSync(this.#job.outcomeFile, this.#outcomes.subarray(0, this.#sent))
    const sum = (all: readonly Times[]) => all.reduce((total, times) => total + (times?.count ?? 0), 0)
    const windows = Array.from({ length: Math.ceil(this.#job.seconds / this.#job.windowSeconds) }, (_, i) => {
      const accepted = this.#timesOf(this.#accepted, i)
      const refused = this.#timesOf(this.#refused, i)
      return {
        accepted: accepted.count,
        refused: refused.count,
        acceptedP50Ms: accepted.percentileMs(0.5),
        acceptedP99Ms: accepted.percentileMs(0.99),
        refusedP99Ms: refused.percentileMs(0.99),
        refusedMaxMs: Math.round(refused.maxMs),
        starved: this.#starvedIn(i),
      }
    })
    const accepted = sum(this.#accepted)
    const refused = sum(this.#refused)
    const other = Object.entries(this.#others).reduce(
      (n, [what, count]) => n + (/^\d/.test(what) ? count : 0),
      0,
    )
    return {
      due: this.#sent + this.#skipped,
      sent: this.#sent,
      accepted,
      refused,
      others: this.#others,
      unanswered: this.#sent - accepted - refused - other,
      windows,
    }
  }
}

/** By the main thread of a process that wanted to run and had no core; NaN where the kernel does not tell. */
function secondsWaited(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e9
  } catch {
    return Number.NaN
  }
}

class Connection {
  readonly #load: Load
  readonly #socket: Socket
  #number = -1
  #sentMs = 0
  /** Resolves once it is usable, or will never be. */
  readonly connected: Promise<void>
  /** The beginning of an answer that is not complete. */
  #partial: Buffer | undefined

  constructor(load: Load) {
    this.#load = load
    this.#socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.connected = new Promise((resolve) => {
      this.#socket.once('connect', resolve)
      this.#socket.once('close', () => resolve())
    })
    let reason = 'closed'
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.code ?? error.message
    })
    this.#socket.on('close', () => load.lost(this, reason, this.#number !== -1))
  }

  send(number: number, request: string): void {
    this.#number = number
    this.#sentMs = performance.now()
    this.#socket.write(request, 'latin1')
  }

  close(): void {
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk])
    const headEnd = bytes.indexOf(HEAD_END)
    if (headEnd !== -1) {
      const status = Number(bytes.toString('latin1', 9, 12))
      const head = status === 200 ? '' : bytes.toString('latin1', 0, headEnd).toLowerCase()
      const length = status === 200 ? 0 : Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0)
      if (bytes.length >= headEnd + HEAD_END.length + length) {
        const number = this.#number
        this.#number = -1
        this.#partial = undefined
        const ms = performance.now() - this.#sentMs
        this.#load.answered(this, number, status, ms, head.includes('\r\nretry-after: '))
        return
      }
    }
    this.#partial = bytes
  }
}

const job = JSON.parse(process.argv[2]!) as OpenLoopJob
const result = await new Load(job).run()
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
