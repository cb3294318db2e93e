/** The inside of a load process: its job from stdin, its result to stdout. */
import { json } from 'node:stream/consumers'
import type { PeerLoad } from './peer.ts'

export async function runJob<Job>(work: (job: Job) => Promise<PeerLoad>): Promise<void> {
  process.on('SIGINT', () => {}) // the bench gets it, too, and ends this process
  const result = await work((await json(process.stdin)) as Job)
  process.stdout.write(JSON.stringify(result), () => process.exit(0))
}
