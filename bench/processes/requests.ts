/** Many small requests: by wrk where it is installed, else by autocannon, which takes far more of its core. */
import type { LoadResult, PointReadJob, PostJob } from '../load/jobs.ts'
import { runLoad } from './load-process.ts'
import { runWrk, wrkInstalled } from './wrk.ts'

export type LoadTool = 'wrk' | 'autocannon'

export interface LoadRun {
  readonly tool: LoadTool
  /** Command words before that of the load. */
  readonly pin: readonly string[]
  /** Called between warm-up and measuring, while the load stands still. */
  readonly onWarm?: () => void
}

export function availableTool(): LoadTool {
  return wrkInstalled() ? 'wrk' : 'autocannon'
}

export function runPosts({ tool, pin, onWarm }: LoadRun, job: PostJob): Promise<LoadResult> {
  if (tool === 'autocannon') return runLoad({ entry: 'posts', job, pin, onWarm })
  const args = [job.streams, job.async ? 1 : 0, job.bodyBytes, job.headers]
  return runWrk({ ...job, script: 'posts.lua', args }, pin, onWarm)
}

export function runPointReads({ tool, pin, onWarm }: LoadRun, job: PointReadJob): Promise<LoadResult> {
  if (tool === 'autocannon') return runLoad({ entry: 'point-reads', job, pin, onWarm })
  const args = [job.streams, job.startMs, job.endMs, job.limit]
  return runWrk({ ...job, script: 'point-reads.lua', args }, pin, onWarm)
}
