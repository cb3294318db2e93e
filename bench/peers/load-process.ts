/** Runs loads in processes of their own, so that making requests takes no time from the bench. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../cleanup.ts'
import type { PeerLoad } from './peer.ts'

/** `entry` is the compiled file beside this one. It gets the job as JSON on stdin and prints its result as JSON. */
export async function runLoadProcess(entry: string, job: object, pin: readonly string[]): Promise<PeerLoad> {
  const file = fileURLToPath(new URL(`./${entry}.js`, import.meta.url))
  return JSON.parse(await runToEnd([...pin, process.execPath, file], JSON.stringify(job))) as PeerLoad
}

/** What the command prints; rejects if it fails. */
export async function runToEnd(words: readonly string[], input = ''): Promise<string> {
  const child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
  endWithUs(child)
  let [printed, complaints] = ['', '']
  child.stdout.on('data', (piece) => {
    printed += piece
  })
  child.stderr.on('data', (piece) => {
    complaints += piece
  })
  child.stdin.on('error', () => {}) // it ended without reading; how it ended says more
  child.stdin.end(input)
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${complaints}${printed}`)
  return printed
}
