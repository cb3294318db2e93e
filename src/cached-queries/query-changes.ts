/** What a reader of changes gets: the rows, then the changes of each refresh. It reads at its own speed. */
import type { LiveQuery } from './live-query.ts'
import type { QueryItem, RowTexts } from './query-service.ts'
import type { StatusOfQuery } from './query-status.ts'
import type { ResultRow, RowChange } from './result-rows.ts'

export interface ChangesOptions {
  /** The reader has the result as of this revision. Undefined: it has none. */
  readonly revision: number | undefined
  readonly status: () => StatusOfQuery
  readonly signal: AbortSignal
  /** Called if the reader takes an item so slowly that slow readers hold too much memory. */
  readonly tooSlow?: (() => void) | undefined
}

export async function* changesOf(query: LiveQuery, options: ChangesOptions): AsyncGenerator<QueryItem, void> {
  const { status, signal, tooSlow = () => {} } = options
  const { held } = query.result
  let sent = () => {}
  const wakes = new Wakes(query, signal)
  let { revision } = options
  let shown = printed(query.result.asOf === undefined ? undefined : status())
  try {
    while (!signal.aborted) {
      const { result } = query
      const { log } = result
      const now = status()
      if (printed(now) !== shown && query.ended === undefined) {
        shown = printed(now)
        yield { event: 'status', ...now }
        continue
      }
      const commit = revision === undefined ? undefined : log.after(revision)
      if (commit !== undefined) {
        sent = held.hold(commit, { result: undefined, bytes: commit.bytes }, tooSlow)
        for (const change of commit.changes) yield { event: 'change', ...shownChange(change) }
        revision = commit.revision
        const { asOf, changes } = commit
        yield { event: 'commit', asOf, changes: changes.length, cursor: log.cursor(revision) }
        sent()
      } else if (query.ended !== undefined) {
        yield {
          event: 'end',
          reason: query.ended,
          cursor: revision === undefined ? undefined : log.cursor(revision),
        }
        return
      } else if (result.asOf !== undefined && (revision === undefined || revision !== log.revision)) {
        const { rows, asOf, revision: answered } = await result.answer()
        revision = answered
        sent = held.hold(rows, { result, bytes: rows.length * LIST_ROW_BYTES }, tooSlow)
        yield { event: 'rows', rows: valuesOf(rows), asOf, cursor: log.cursor(revision) }
        sent()
      } else await wakes.next()
    }
  } finally {
    sent()
    wakes.stop()
  }
}

/** Of a row in its sorted array and its list. */
const LIST_ROW_BYTES = 16

/** Of each sorted array one list, which all who read it share: many slow readers hold no more than one. */
const LISTS = new WeakMap<readonly ResultRow[], readonly RowTexts[]>()

function valuesOf(rows: readonly ResultRow[]): readonly RowTexts[] {
  const present = LISTS.get(rows)
  if (present !== undefined) return present
  const list = rows.map(({ values }) => values)
  LISTS.set(rows, list)
  return list
}

function shownChange({ op, key, before, after }: RowChange) {
  return { op, key, before: before?.values, after: after?.values }
}

function printed(status: StatusOfQuery | undefined): string {
  return status === undefined ? '' : JSON.stringify(status)
}

/** Whether the query has changed since the last look. */
class Wakes {
  #isAwake = true
  #resolve: (() => void) | undefined
  readonly #stop: () => void

  constructor(query: LiveQuery, signal: AbortSignal) {
    const wake = () => {
      this.#isAwake = true
      this.#resolve?.()
    }
    const unlisten = query.result.follow(wake)
    signal.addEventListener('abort', wake)
    this.#stop = () => {
      unlisten()
      signal.removeEventListener('abort', wake)
    }
  }

  /** Resolves after the next change; at once if there was one since the last call. */
  async next(): Promise<void> {
    if (!this.#isAwake) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
      })
    }
    this.#isAwake = false
    this.#resolve = undefined
  }

  stop(): void {
    this.#stop()
  }
}
