/** Writes snapshots of the catalog while this node has the lease, and removes what no node needs any more. */
import type { LeaseHolder } from '../store-cluster.ts'
import type { CatalogReplay } from './catalog-replay.ts'
import { type CatalogSnapshots, SNAPSHOT_RECORDS } from './catalog-snapshots.ts'
import type { CatalogTopic } from './catalog-topic.ts'
import type { Offset } from './change-codec.ts'

export interface SnapshotTaskParts {
  readonly snapshots: CatalogSnapshots
  readonly catalog: Pick<CatalogTopic, 'trim'>
  readonly replay: () => CatalogReplay
  /** Of this opening of the node: a part of the ids of its snapshots. */
  readonly name: () => string
  readonly report: (error: unknown) => void
  readonly records?: number
}

const RETRY_MS = 10_000

export class SnapshotTask implements LeaseHolder {
  readonly #parts: SnapshotTaskParts
  #isHeld = false
  /** Of the newest snapshot; undefined until it was read. */
  #upTo: Offset | undefined
  #running: Promise<void> | undefined
  #notBeforeMs = 0

  constructor(parts: SnapshotTaskParts) {
    this.#parts = parts
  }

  gained(): void {
    this.#isHeld = true
    this.#upTo = undefined
  }

  lost(): void {
    this.#isHeld = false
  }

  tick(): void {
    if (!this.#isHeld || this.#running !== undefined || performance.now() < this.#notBeforeMs) return
    const { records = SNAPSHOT_RECORDS, replay, report } = this.#parts
    if (replay().next - (this.#upTo ?? 0) < records) return
    this.#running = this.#write(records)
      .catch((error) => {
        this.#notBeforeMs = performance.now() + RETRY_MS
        report(error)
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  async stop(): Promise<void> {
    this.#isHeld = false
    await this.#running
  }

  async #write(records: number): Promise<void> {
    const { snapshots, catalog, replay, name } = this.#parts
    this.#upTo ??= (await snapshots.read()).at(-1)?.upTo ?? 0
    if (replay().next - this.#upTo < records) return
    this.#upTo = await snapshots.write(replay(), `${name()}-${replay().next}`)
    const complete = await snapshots.read()
    const before = complete.at(-2)
    if (before === undefined || !this.#isHeld) return
    await catalog.trim(before.upTo)
    await snapshots.forgetBefore(before)
  }
}
