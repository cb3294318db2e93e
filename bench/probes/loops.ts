/**
 * The decoding and encoding of the service as loops in memory: what the CPU takes for it, without HTTP, disk or queues.
 * What they give is the most that an upload or a read could ever reach on one core.
 */
import type { Case } from '../sample.ts'
import { type PassJob, runPasses } from './run-passes.ts'

export interface LoopJob extends PassJob {
  readonly loop: LoopName
}

const ABOUT = {
  'loop-text': 'text lines of 100 bytes -> slices',
  'loop-csv': 'CSV rows of 100 bytes without quotes -> slices',
  'loop-csv-quotes': 'CSV rows of 100 bytes with quoted fields -> slices',
  'loop-avro': "Avro container, snappy: avsc's BlockDecoder with noDecode, not ours",
  'loop-avro-ours': 'the same file -> slices',
  'loop-json': 'stored blocks of 1 million events of 100 bytes -> JSON array',
  'loop-ndjson': 'the same blocks -> NDJSON',
} as const

export type LoopName = keyof typeof ABOUT

export const LOOPS: readonly Case[] = Object.entries(ABOUT).map(([name, about]) => ({
  name,
  about: `in memory: ${about}`,
  run(round) {
    const { seconds, warmupSeconds } = round
    const job: LoopJob = { seconds, warmupSeconds, loop: name as LoopName }
    return runPasses('loops-process', job, round)
  },
}))
