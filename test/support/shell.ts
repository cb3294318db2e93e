/** Whether this machine can run what the documentation tells people to paste. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why not, or undefined if these commands are there. */
export async function shellProblem(
  commands: readonly string[] = ['bash', 'curl'],
): Promise<string | undefined> {
  for (const command of commands) {
    try {
      await run(command, ['--version'])
    } catch {
      return `there is no ${command} on this machine`
    }
  }
  return undefined
}
