/**
 * The tokens of a file that is polled, so that adding or revoking one needs no restart. If the file is missing or cannot be read
 * as a token file, the tokens stay as they were, and the problem is reported.
 */
import { entriesOf, readTokenText, stampOf } from './token-file-on-disk.ts'
import { Tokens, type TokensChange } from './tokens.ts'

export interface WatchOptions {
  readonly nowMs: () => number
  /** Called after the tokens have changed; not for the first ones. */
  readonly onChange: (change: TokensChange) => void
  /** Called once for each content that could not be used, or for a missing file. */
  readonly onProblem: (problem: unknown) => void
  /** Returns a text that differs when the file was changed; for tests, because the clock of the file system may be too coarse. */
  readonly stampOf?: (path: string) => Promise<string>
}

export class WatchedTokens {
  readonly tokens = new Tokens()
  readonly #path: string
  readonly #options: WatchOptions
  readonly #stampOf: (path: string) => Promise<string>
  #stamp = ''
  /** Whether the stamp has been the same twice: two writes within one tick of the file system's clock have one stamp. */
  #settled = false
  /** The content of the file, or the problem of reading it. */
  #seen = ''
  #timer: NodeJS.Timeout | undefined
  #polling: Promise<void> = Promise.resolve()
  #stopped = false

  private constructor(path: string, options: WatchOptions) {
    this.#path = path
    this.#options = options
    this.#stampOf = options.stampOf ?? stampOf
  }

  /** Rejects with TokenProblem if the file is not usable. */
  static async open(path: string, options: WatchOptions): Promise<WatchedTokens> {
    const watched = new WatchedTokens(path, options)
    watched.#stamp = await watched.#stampOf(path)
    watched.#seen = await readTokenText(path)
    watched.tokens.replace(entriesOf(path, watched.#seen), options.nowMs())
    return watched
  }

  /** Polls the file until it is stopped. */
  watch(intervalMs: number): void {
    this.#timer = setTimeout(() => {
      this.#polling = this.poll().then(() => {
        if (!this.#stopped) this.watch(intervalMs)
      })
    }, intervalMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#polling
  }

  /** Takes over the tokens that the file has now. Never rejects. */
  async poll(): Promise<void> {
    const stamp = await this.#stampOf(this.#path)
    const same = stamp === this.#stamp
    if (same && this.#settled) return
    this.#stamp = stamp
    this.#settled = same
    try {
      const text = await readTokenText(this.#path)
      if (text === this.#seen) return
      this.#seen = text
      this.#takeOver(text)
    } catch (problem) {
      this.#settled = false // it may be readable again without having changed
      const problemKey = `\0${problem}`
      if (problemKey === this.#seen) return
      this.#seen = problemKey
      this.#options.onProblem(problem)
    }
  }

  #takeOver(text: string): void {
    try {
      const change = this.tokens.replace(entriesOf(this.#path, text), this.#options.nowMs())
      if (change.added.length + change.removed.length + change.changed.length > 0)
        this.#options.onChange(change)
    } catch (problem) {
      this.#options.onProblem(problem)
    }
  }
}
