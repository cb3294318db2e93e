/** Every command but the service itself, which is what `millrace` does without a word. */
import { backup } from './backup.ts'
import type { Command } from './command.ts'
import { importEvents } from './import.ts'
import { repair } from './repair.ts'
import { tokenCommand } from './token.ts'
import { verify } from './verify.ts'

export const COMMANDS: readonly Command[] = [tokenCommand, verify, repair, backup, importEvents]
