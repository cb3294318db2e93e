/** A command, as in `millrace verify`: it does one job and ends. */
export interface Command {
  readonly name: string
  /** Half a line for `millrace --help`. */
  readonly about: string
  /** Output of `millrace <name> --help`: usage, flags, exit codes. */
  readonly help: string
  /** Resolves with the exit code. The message of an error it rejects with is printed, and the exit code is 2. */
  run(args: readonly string[], environment: CommandEnvironment): Promise<number>
}

/** Clock, input and output of a command: handed in, so that a test can be exact. */
export interface CommandEnvironment {
  readonly nowMs: () => number
  readonly environment: NodeJS.ProcessEnv
  /** Standard input. */
  readonly input: AsyncIterable<Uint8Array>
  /** To standard output, as it is. */
  readonly print: (text: string) => void
  /** To standard error: progress and messages, no results. */
  readonly tell: (text: string) => void
}

/** Invalid flags or arguments; the message is one sentence for the terminal. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
