/**
 * The life of the modules that run on one node at a time (coordinator-modules.ts): they are loaded when this node gains the lease
 * `coordinator`, and closed when it may have lost it. Both happen one after the other, however fast the lease moves.
 */
import type { LeaseHolder } from '../storage/store-cluster.ts'

/** The lease of the store's cluster. */
export const COORDINATOR_LEASE = 'coordinator'

export interface CoordinatorOptions<Modules> {
  /** Loads the modules from the catalog as it is now. `term`: of the lease. */
  readonly load: (term: number) => Promise<Modules>
  readonly close: (modules: Modules) => Promise<void>
  /** Called when the modules answer requests. */
  readonly started: (modules: Modules) => void
  readonly report: (error: unknown) => void
}

/** The pause after the modules could not be loaded. */
const RETRY_MS = 1_000

export class Coordinator<Modules> implements LeaseHolder {
  readonly #options: CoordinatorOptions<Modules>
  /** Undefined while another node may hold the lease. */
  #wantedTerm: number | undefined
  #loaded: { readonly term: number; readonly modules: Modules } | undefined
  #isStopped = false
  #mayStart = false
  #wake: () => void = () => {}
  #isRunning = false
  #running: Promise<void> | undefined
  /** How often this node has gained the lease. */
  terms = 0

  constructor(options: CoordinatorOptions<Modules>) {
    this.#options = options
  }

  /** The modules, while this node holds the lease and they are loaded. */
  get modules(): Modules | undefined {
    const loaded = this.#loaded
    return loaded !== undefined && loaded.term === this.#wantedTerm ? loaded.modules : undefined
  }

  gained(term: number): void {
    if (this.#isStopped) return
    this.terms++
    this.#wantedTerm = term
    this.#settle()
  }

  lost(): void {
    this.#wantedTerm = undefined
    this.#settle()
  }

  /** Modules that are loaded, or will be, may start their work: the service answers requests. */
  start(): void {
    this.#mayStart = true
    const { modules } = this
    if (modules !== undefined) this.#options.started(modules)
  }

  /** Closes the modules, and loads none any more. Rejects if they cannot be closed. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.lost()
    await this.#running
    if (this.#loaded !== undefined) await this.#options.close(this.#loaded.modules)
  }

  #settle(): void {
    this.#wake()
    if (!this.#isRunning) this.#running = this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#loaded?.term !== this.#wantedTerm) {
      if (this.#loaded !== undefined) await this.#close()
      else await this.#load(this.#wantedTerm!)
    }
    this.#isRunning = false // at once, so that no move of the lease comes between
  }

  async #load(term: number): Promise<void> {
    const { load, started, report } = this.#options
    try {
      this.#loaded = { term, modules: await load(term) }
      if (this.#mayStart && this.modules !== undefined) started(this.modules)
    } catch (error) {
      report(error)
      await this.#pause()
    }
  }

  async #close(): Promise<void> {
    const { modules } = this.#loaded!
    this.#loaded = undefined
    await this.#options.close(modules).catch(this.#options.report)
  }

  /** Ends early when the lease moves. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve()
      }
      const timer = setTimeout(end, RETRY_MS).unref()
      this.#wake = end
    })
  }
}
