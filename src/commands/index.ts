/** Every command but the service itself, which is what `millrace` does without a word. */
import type { Command } from './command.ts'
import { tokenCommand } from './token.ts'

export const COMMANDS: readonly Command[] = [tokenCommand]
