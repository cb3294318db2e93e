/** Batch uploads, one after the other. */
import { streamName, streamPath } from '../events/streams.ts'
import type { BodyKind } from '../events/upload-body.ts'
import { runLoad } from '../processes/load-process.ts'
import type { Case } from '../sample.ts'
import { folderBytes } from '../stores/copy.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { dataFolderOf } from './measured.ts'
import { measureWrites } from './writes.ts'

export interface Uploads {
  readonly name: string
  readonly about: string
  readonly body: BodyKind
  /** Of one upload: a multiple of POOL_EVENTS. */
  readonly events: number
  readonly long?: true
  /** One upload and nothing else, to measure memory and disk after it. */
  readonly once?: true
  /** Further flags of the service, of one round. */
  readonly flags?: () => Promise<readonly string[]>
}

/** Enough that the median is one of several. */
const UPLOADS_LEAST = 2

export function uploads(
  buildUnderTest: BuildUnderTest,
  { name, about, body, events, long, once, flags }: Uploads,
): Case {
  return {
    name,
    about,
    ...(long && { long }),
    async run(round) {
      const repetition = once
        ? { warmups: 0, atLeast: 1, seconds: 0 }
        : { warmups: 1, atLeast: UPLOADS_LEAST, seconds: round.seconds }
      const sample = await measureWrites(buildUnderTest, round, {
        streams: 1,
        ...(flags && { flags: await flags() }),
        load({ base }, onWarm) {
          const job = { ...repetition, url: `${base}${streamPath(streamName(0, 1))}/batch`, body, events }
          return runLoad({ entry: 'uploads', job, pin: round.pinLoad, onWarm })
        },
      })
      return once ? { ...sample, diskBytes: folderBytes(dataFolderOf(round)) } : sample
    },
  }
}
