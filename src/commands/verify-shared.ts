/** Reads a store that services may have open: every document of a stream and every event. The engine checks the checksums. */
import { StorageError } from '../../storage/storage-error.ts'
import { streamKey } from '../streams/names.ts'
import { Registry } from '../streams/registry.ts'
import type { CommandEnvironment } from './command.ts'
import { openCommandStore } from './command-store.ts'
import { Findings } from './findings.ts'
import type { Flags } from './flags.ts'
import { Progress } from './progress.ts'
import { countText } from './quantities.ts'

/** Prints the damage and a summary; resolves with the number of findings. */
export async function verifyShared(flags: Flags, environment: CommandEnvironment): Promise<number> {
  const storage = await openCommandStore(flags, environment)
  const findings = new Findings(environment.print)
  const progress = new Progress(environment)
  let streams = 0
  let events = 0
  try {
    const registry = await Registry.load(storage.catalog, storage.cluster)
    for (const { id, log } of registry.allStreams()) {
      streams++
      try {
        const read = await storage.log.read(log, {
          startMs: 0,
          endMs: Number.MAX_SAFE_INTEGER,
          limit: Number.MAX_SAFE_INTEGER,
        })
        for await (const { runs } of read?.blocks ?? []) {
          for (const { begin, end } of runs) events += end - begin
          progress.at(() => `${countText(events, 'event')} read`)
        }
      } catch (error) {
        if (!(error instanceof StorageError && error.code === 'corrupt')) throw error
        findings.add(`stream ${streamKey(id)}: ${error.message}`)
      }
    }
  } finally {
    await storage.close()
  }
  environment.print(`${countText(streams, 'stream')}, ${countText(events, 'event')}\n`)
  environment.print(findings.count === 0 ? 'sound\n' : `damaged: ${countText(findings.count, 'finding')}\n`)
  return findings.count
}
