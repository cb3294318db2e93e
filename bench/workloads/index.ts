/** All workloads, in the order they run. */
import { jsonReads, ndjsonReads, tenMillionRead } from './full-reads.ts'
import { asyncPosts, singlePosts } from './single-posts.ts'
import { oneGibUpload, uploads } from './uploads.ts'
import type { Workload } from './workload.ts'

export const WORKLOADS: readonly Workload[] = [
  singlePosts(1),
  singlePosts(64),
  singlePosts(256),
  asyncPosts(64),
  uploads,
  jsonReads,
  ndjsonReads,
  oneGibUpload,
  tenMillionRead,
]
