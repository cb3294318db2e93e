/** A stream in Kafka that is filled before it is read: once per run and build, by the service of that build. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Build, commandOf } from '../processes/build.ts'
import type { KafkaBroker, KafkaPlace } from '../processes/kafka.ts'
import { withProcess } from '../processes/watched-process.ts'
import type { ReadableStore } from '../workloads/full-reads.ts'
import { createStreams, fillStream } from './fill.ts'

export type KafkaStore = ReadableStore & KafkaPlace

/** Makes the store when it is first asked for, with its folder in `parent`, which must not be removed before. */
export function kafkaStore(
  build: Build,
  broker: KafkaBroker,
  { parent, events }: { readonly parent: () => string; readonly events: number },
): () => Promise<KafkaStore> {
  let store: Promise<KafkaStore> | undefined
  return () => {
    store ??= filled()
    return store
  }

  async function filled(): Promise<KafkaStore> {
    const place = await broker.newStore()
    const folder = join(parent(), place.prefix)
    mkdirSync(folder)
    await withProcess(commandOf(build, { dataFolder: folder, flags: place.flags }), async ({ base }) => {
      await createStreams(base, 1)
      await fillStream(base, events)
    })
    return { ...place, folder, events }
  }
}
