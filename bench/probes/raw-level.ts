/**
 * What LevelDB alone does with 64-KiB blocks of 100-byte lines: nothing decoded, no checksums of ours, no HTTP. Uploads
 * and full reads of the service are measured against it.
 */
import { join } from 'node:path'
import type { Case, Round } from '../sample.ts'
import { type PassJob, runPasses } from './run-passes.ts'

export interface RawLevelJob extends PassJob {
  readonly work: 'write' | 'scan'
  readonly options: LevelChoice
  readonly store: string
}

/** `service`: the options of the service. `16mib`: the fastest options here, which take more memory. */
export type LevelChoice = 'service' | '16mib'

export const rawBlockWrites: Case = {
  name: 'probe-block-writes',
  about: 'raw LevelDB writes of 64-KiB blocks, fsync per 1 MiB, options of the service',
  run: (round) => run(round, 'write', 'service'),
}

/** Shows what the small memory tables of the service cost (docs/decisions/0008-memory.md). */
export const rawBlockWrites16MiB: Case = {
  name: 'probe-block-writes-16mib',
  about: 'the same with a write buffer of 16 MiB and 1,000 open files',
  run: (round) => run(round, 'write', '16mib'),
}

export const rawBlockScan: Case = {
  name: 'probe-block-scan',
  about: 'raw LevelDB scan of 100 MB of such blocks with nextv, options of the service',
  run: (round) => run(round, 'scan', 'service'),
}

function run(round: Round, work: RawLevelJob['work'], options: LevelChoice) {
  const { seconds, warmupSeconds, folder } = round
  const job: RawLevelJob = { seconds, warmupSeconds, work, options, store: join(folder, 'store') }
  return runPasses('raw-level-process', job, round)
}
