/** A command in this process: what it printed, what it told, how it ended. */
import type { Command } from '../../src/commands/command.ts'

export interface CommandRun {
  readonly code: number
  readonly printed: string
  readonly told: string
}

/** `input` is standard input, in these pieces. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  input: readonly Uint8Array[] = [],
): Promise<CommandRun> {
  let printed = ''
  let told = ''
  try {
    const code = await command.run(args, {
      nowMs: () => 10_000_000,
      environment: {},
      input: (async function* () {
        yield* input
      })(),
      print: (text) => {
        printed += text
      },
      tell: (text) => {
        told += text
      },
    })
    return { code, printed, told }
  } catch (error) {
    return { code: 2, printed, told: `${told}${error instanceof Error ? error.message : String(error)}` }
  }
}
