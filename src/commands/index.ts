/** Every command but the service itself, which is what `millrace` does without a word. */
import type { Command } from './command.ts'

export const COMMANDS: readonly Command[] = []
