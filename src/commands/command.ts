/** What stands behind a word on the command line, as in `millrace verify`: it does one job and ends. */
export interface Command {
  readonly name: string
  /** Half a line for `millrace --help`. */
  readonly about: string
  /** What `millrace <name> --help` prints: usage, flags, exit codes. */
  readonly help: string
  /** Resolves with the exit code. What it rejects with is printed as one sentence, and the exit code is 2. */
  run(args: readonly string[], environment: CommandEnvironment): Promise<number>
}

/** What the outside world gives: handed in, so that a test can be exact. */
export interface CommandEnvironment {
  readonly nowMs: () => number
  readonly environment: NodeJS.ProcessEnv
  /** Standard input. */
  readonly input: AsyncIterable<Uint8Array>
  /** To standard output, as it is. */
  readonly print: (text: string) => void
  /** To standard error: progress, and what is no result. */
  readonly tell: (text: string) => void
}

/** Flags or arguments that make no sense; the message is one sentence for the terminal. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
