/**
 * Memory of arriving bodies, shared by clients. Every upload reports what it holds. When it does not fit, this class decides
 * which upload has to release its memory, and cuts it. The new upload is refused only if no other can be cut.
 *
 * In this order an upload is cut for one that needs memory:
 *
 *   1. one below the minimum rate, of any client: the one that holds its memory longest for the bytes it brings
 *   2. the slowest one of the client that holds most, as long as that is more than the new one would hold
 *   3. one of the same client that does not bring in STALE_SECONDS as much as it holds
 *
 * If there is none, the new one waits for WAIT_MS_MAX, and is refused then. While more than half is in use, uploads below the
 * minimum rate are cut even if no other upload waits. docs/decisions/0024-fair-shares.md has the reasons.
 */

import { type ClientKey, FairShare } from '../../fair-share.ts'
import { ServiceError } from '../../service-error.ts'
import { CountedResource } from '../../shared-resource.ts'
import { SAMPLE_MS, TransferPace } from './transfer-pace.ts'

export interface BodyMemoryLimits {
  readonly maxRequestBytes: number
  readonly minUploadBytesPerSecond: number
}

/** Why an upload is ended before its body is complete, for its client. */
export interface UploadEnd {
  readonly status: '408 Request Timeout' | '503 Service Unavailable'
  readonly sentence: string
}

/** The client that sends a body. */
export interface Sender {
  /** Whether all of the body has been received, also where not all of it has been used yet. */
  hasSentAll(): boolean
  /** Answers and ends the connection. */
  end(end: UploadEnd): void
}

const KIB = 1024
const MIB = 1024 * KIB

/**
 * A body up to `bytesMax` may arrive while all arriving bodies hold less than this share of the memory for bodies, so that
 * large ones cannot keep smaller ones out. The rest is for complete bodies.
 */
const ARRIVING_SHARES: readonly { readonly bytesMax: number; readonly share: number }[] = [
  { bytesMax: 64 * KIB, share: 7 / 8 }, // one read of the socket
  { bytesMax: 2 * MIB + 128 * KIB, share: 3 / 4 }, // a batch, unless one of its records is large
  { bytesMax: Number.POSITIVE_INFINITY, share: 5 / 8 },
]
/** Above this part in use the minimum rate applies. */
const SCARCE_SHARE = 1 / 2
/** The rate is measured over this time, and an upload has as long to reach it. */
const RATE_WINDOW_MS = 5_000
/** An upload is stale if it brings less than it holds in this many seconds. */
const STALE_SECONDS = 30
const STALE_WINDOW_MS = 1_000
/** An upload without memory is paused for this long, then refused. */
const WAIT_MS_MAX = 3_000
/** Each waiting upload may hold one piece more than there is memory for. */
const WAITING_MAX = 64
/** `/status` reports a refusal for this long. */
const REFUSED_RECENTLY_MS = 5_000

interface Waiting {
  readonly client: ClientKey
  /** Whether there is memory now. */
  readonly fits: () => boolean
  readonly upload: Upload | undefined
  readonly resolve: () => void
  readonly reject: (error: ServiceError) => void
  readonly deadline: NodeJS.Timeout
}

export class BodyMemory extends CountedResource {
  readonly #maxBytes: number
  readonly #minBytesPerSecond: number
  readonly #uploads = new Set<Upload>()
  readonly #waiting = new Set<Waiting>()
  readonly #waitingShare = new FairShare(WAITING_MAX)
  #sampling: NodeJS.Timeout | undefined
  #isCutting = false
  #refusedAtMs = Number.NEGATIVE_INFINITY

  constructor({ maxRequestBytes, minUploadBytesPerSecond }: BodyMemoryLimits) {
    super('bodies', maxRequestBytes * ARRIVING_SHARES[0]!.share)
    this.#maxBytes = maxRequestBytes
    this.#minBytesPerSecond = minUploadBytesPerSecond
  }

  /** Whether bodies were refused for lack of memory a moment ago, and not only those of the client that holds most. */
  get refusedRecently(): boolean {
    return performance.now() - this.#refusedAtMs < REFUSED_RECENTLY_MS
  }

  /** Whether a body of `bytes` may begin to arrive; a single one always may. */
  mayArrive(bytes: number): boolean {
    const { total } = this.share
    return total === 0 || total + bytes <= this.#limitFor(bytes)
  }

  /**
   * Resolves when a body of `bytes`, announced by `client`, may begin to arrive. Other uploads are cut only when its bytes
   * arrive. Rejects with ServiceError 'overloaded'.
   */
  async admit(client: ClientKey, bytes: number): Promise<void> {
    const fits = () => this.mayArrive(bytes) || this.#victims(client, bytes) !== undefined
    if (!fits()) await this.#wait(client, fits)
  }

  /** A body of `client` begins to arrive; `end` has to be called in any case. */
  begin(client: ClientKey, sender: Sender): Upload {
    const upload = new Upload(this, client, sender)
    this.#uploads.add(upload)
    this.#sampling ??= setInterval(() => this.#sample(), SAMPLE_MS).unref()
    return upload
  }

  /** Cuts the slowest upload below the minimum rate, for its connection; false if there is none. */
  cutSlow(): boolean {
    const [slowest] = slowestFirst(this.#slow())
    if (slowest === undefined) return false
    slowest.cut(this.#tooSlow())
    return true
  }

  /** For Upload: it holds `change` bytes more. If a promise is returned, the upload has to wait for it. */
  changed(upload: Upload, change: number): Promise<void> | undefined {
    const { client } = upload
    this.share.take(client, change)
    if (change <= 0) {
      if (this.#waiting.size > 0) this.#serveWaiting()
      return undefined
    }
    return this.#fits(upload) ? undefined : this.#wait(client, () => this.#fits(upload), upload)
  }

  /** For Upload: it is over. */
  forget(upload: Upload): void {
    this.#uploads.delete(upload)
    for (const waiting of this.#waiting) {
      if (waiting.upload !== upload) continue
      this.#leave(waiting)
      waiting.reject(new ServiceError('overloaded', 'the body was given up while it waited for memory'))
    }
    if (this.#uploads.size > 0 || this.#waiting.size > 0) return
    clearInterval(this.#sampling)
    this.#sampling = undefined
  }

  /** Whether the upload fits, after others are cut if that helps. */
  #fits(upload: Upload): boolean {
    if (upload.held === this.share.total) return true
    const victims = this.#victims(upload.client, 0, upload)
    if (victims === undefined) return false
    this.#isCutting = true
    for (const [victim, end] of victims) victim.cut(end)
    this.#isCutting = false
    return true
  }

  /** The uploads to cut for `bytes` more of `client`; undefined if that would not be enough. */
  #victims(client: ClientKey, bytes: number, upload?: Upload): ReadonlyMap<Upload, UploadEnd> | undefined {
    let missing = this.share.total + bytes - this.#limitFor(upload?.held ?? bytes)
    const victims = new Map<Upload, UploadEnd>()
    if (missing <= 0) return victims
    const candidates = slowestFirst(
      [...this.#uploads].filter((one) => one !== upload && one.mayBeCut && one.held > 0),
    )
    const taken = new Map<ClientKey, number>()
    const take = (victim: Upload, end: UploadEnd) => {
      victims.set(victim, end)
      missing -= victim.held
      taken.set(victim.client, (taken.get(victim.client) ?? 0) + victim.held)
    }
    for (const slow of candidates) {
      if (missing <= 0) return victims
      if (this.#isSlow(slow)) take(slow, this.#tooSlow())
    }
    const left = (one: ClientKey) => this.share.held(one) - (taken.get(one) ?? 0)
    const wouldHold = this.share.held(client) + bytes
    const others = uploadsByClient(candidates.filter((one) => one.client !== client && !victims.has(one)))
    while (missing > 0) {
      const heaviest = maxBy([...others.keys()], left)
      if (heaviest === undefined || left(heaviest) <= wouldHold) break
      const slowest = others.get(heaviest)!.shift()
      if (slowest === undefined) others.delete(heaviest)
      else take(slowest, HOLDS_MOST)
    }
    for (const own of candidates) {
      if (missing <= 0) return victims
      if (own.client === client && !victims.has(own) && own.isStale) take(own, STALE)
    }
    return missing <= 0 ? victims : undefined
  }

  /** Resolves once `fits` says so. Rejects with ServiceError 'overloaded' after a while, or if too many wait. */
  #wait(client: ClientKey, fits: () => boolean, upload?: Upload): Promise<void> {
    const capacity = new Promise<void>((resolve, reject) => {
      if (this.#waiting.size >= WAITING_MAX && !this.#refuseOneOfHeaviest(client)) {
        reject(this.#refusal(client))
        return
      }
      const deadline = setTimeout(() => this.#refuse(waiting), WAIT_MS_MAX).unref()
      const waiting: Waiting = { client, fits, upload, resolve, reject, deadline }
      upload?.pace.stopAwaiting()
      this.#waiting.add(waiting)
      this.#waitingShare.take(client, 1)
      this.#sampling ??= setInterval(() => this.#sample(), SAMPLE_MS).unref()
      this.#refuseIfAllWait()
    })
    capacity.catch(() => {}) // the upload may have failed for another reason before
    return capacity
  }

  /** Too many uploads wait: refuses one of the client with most of them, unless that client asks. */
  #refuseOneOfHeaviest(client: ClientKey): boolean {
    const heaviest = this.#waitingShare.heaviest(client)
    if (heaviest === undefined) return false
    if (this.#waitingShare.held(heaviest) <= this.#waitingShare.held(client) + 1) return false
    const newest = [...this.#waiting].findLast((waiting) => waiting.client === heaviest)!
    this.#refuse(newest)
    return true
  }

  /** If all uploads wait for each other, they would do so until their deadline: refuses the newest. */
  #refuseIfAllWait(): void {
    const waiting = new Set([...this.#waiting].map(({ upload }) => upload))
    for (const upload of this.#uploads) if (upload.held > 0 && !waiting.has(upload)) return
    const newest = [...this.#waiting].findLast(({ upload }) => upload !== undefined)
    if (newest !== undefined) this.#refuse(newest)
  }

  #serveWaiting(): void {
    if (this.#isCutting) return // that memory is for the upload that asked
    for (const waiting of this.#waiting) {
      if (!this.#waiting.has(waiting) || !waiting.fits()) continue
      this.#leave(waiting)
      waiting.upload?.pace.awaitClient()
      waiting.resolve()
    }
  }

  #refuse(waiting: Waiting): void {
    this.#leave(waiting)
    waiting.reject(this.#refusal(waiting.client))
  }

  #leave(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    this.#waitingShare.give(waiting.client, 1)
    clearTimeout(waiting.deadline)
  }

  /** `/status` reports the refusal, unless only the client that holds most is refused, and others are served. */
  #refusal(client: ClientKey): ServiceError {
    this.refused++
    const othersAreServed = this.share.heaviest() === client && this.mayArrive(ARRIVING_SHARES[0]!.bytesMax)
    if (!othersAreServed) this.#refusedAtMs = performance.now()
    return new ServiceError(
      'overloaded',
      'as much is arriving already as is held in memory at a time; try again later',
    )
  }

  #sample(): void {
    for (const upload of this.#uploads) upload.pace.sample()
    if (this.share.total > this.share.capacity * SCARCE_SHARE) {
      for (const slow of slowestFirst(this.#slow())) {
        if (this.share.total <= this.share.capacity * SCARCE_SHARE) break
        slow.cut(this.#tooSlow())
      }
    }
    this.#serveWaiting()
  }

  #slow(): Upload[] {
    return [...this.#uploads].filter((upload) => upload.mayBeCut && this.#isSlow(upload))
  }

  #isSlow({ pace }: Upload): boolean {
    return pace.awaitedMs >= RATE_WINDOW_MS && pace.bytesPerSecond(RATE_WINDOW_MS) < this.#minBytesPerSecond
  }

  #tooSlow(): UploadEnd {
    return {
      status: '408 Request Timeout',
      sentence:
        `the body came at less than ${this.#minBytesPerSecond} bytes per second, and much else is arriving; ` +
        'send it faster, or try again later',
    }
  }

  #limitFor(bytes: number): number {
    for (const { bytesMax, share } of ARRIVING_SHARES) if (bytes <= bytesMax) return share * this.#maxBytes
    return 0
  }
}

const STALE: UploadEnd = {
  status: '408 Request Timeout',
  sentence:
    'the body came slowly, and the memory it took was needed for others; send it faster, or try again later',
}

const HOLDS_MOST: UploadEnd = {
  status: '503 Service Unavailable',
  sentence: 'other clients need memory, and this one held the most of it; try again later',
}

/** One body that is arriving. */
export class Upload {
  readonly client: ClientKey
  readonly pace = new TransferPace()
  readonly #memory: BodyMemory
  readonly #sender: Sender
  /** Bytes of memory it has. */
  held = 0
  /** The client was answered already: the body must not be used. */
  wasCut = false
  #complete = false

  constructor(memory: BodyMemory, client: ClientKey, sender: Sender) {
    this.#memory = memory
    this.client = client
    this.#sender = sender
  }

  /** Whether it still waits for its client. */
  get mayBeCut(): boolean {
    return !this.#complete && !this.wasCut && !this.#sender.hasSentAll()
  }

  get isStale(): boolean {
    return (
      this.pace.awaitedMs >= STALE_WINDOW_MS &&
      this.pace.bytesPerSecond(STALE_WINDOW_MS) * STALE_SECONDS < this.held
    )
  }

  /** How often in a second what it holds is replaced by what it brings. */
  get turnover(): number {
    return this.pace.bytesPerSecond(STALE_WINDOW_MS) / Math.max(1, this.held)
  }

  /**
   * Sets the bytes held now. If a promise is returned, the body must not be read on until it resolves. It rejects with
   * ServiceError 'overloaded': then the bytes have to be dropped, and `end` called.
   */
  holds(bytes: number): Promise<void> | undefined {
    if (this.wasCut) return undefined
    const change = bytes - this.held
    this.held = bytes
    return change === 0 ? undefined : this.#memory.changed(this, change)
  }

  /** The whole body has arrived: from now on it cannot be cut. False if it has been. */
  complete(): boolean {
    this.#complete = true
    this.pace.stopAwaiting()
    return !this.wasCut
  }

  /** Releases the memory, or leaves it to be counted elsewhere. May be called twice. */
  end(): void {
    const { held } = this
    this.held = 0
    this.#complete = true
    this.#memory.forget(this)
    if (held > 0) this.#memory.changed(this, -held)
  }

  /** Answers its client and ends the connection, if the body is not complete. */
  cut(end: UploadEnd): void {
    if (!this.mayBeCut) return
    this.wasCut = true
    this.#memory.cut++
    this.#sender.end(end)
    this.end()
  }
}

/** Those that hold their memory longest for the bytes they bring come first. */
function slowestFirst(uploads: readonly Upload[]): Upload[] {
  return uploads
    .map((upload) => ({ upload, turnover: upload.turnover }))
    .sort((a, b) => a.turnover - b.turnover || b.upload.held - a.upload.held)
    .map(({ upload }) => upload)
}

function uploadsByClient(uploads: readonly Upload[]): Map<ClientKey, Upload[]> {
  const byClient = new Map<ClientKey, Upload[]>()
  for (const upload of uploads) {
    const known = byClient.get(upload.client)
    if (known === undefined) byClient.set(upload.client, [upload])
    else known.push(upload)
  }
  return byClient
}

function maxBy<T>(values: readonly T[], of: (value: T) => number): T | undefined {
  let most: T | undefined
  for (const value of values) if (most === undefined || of(value) > of(most)) most = value
  return most
}
