/** Every command but the service itself, which is what `millrace` does without a word. */
import { backup } from './backup.ts'
import type { Command } from './command.ts'
import { importEvents } from './import.ts'
import { repair } from './repair.ts'
import { verify } from './verify.ts'

export const COMMANDS: readonly Command[] = [verify, repair, backup, importEvents]
