/** Batch uploads of text lines, one after the other. */
import { LINE_BYTES } from '../load/event-text.ts'
import type { Workload } from './workload.ts'
import { measureWrites } from './writes.ts'

/** Enough that the median is one of several. */
const UPLOADS_LEAST = 3
const GIB = 1024 ** 3

export const uploads: Workload = {
  name: 'upload',
  about: 'batches of text lines, one after the other; latencies are those of a whole upload',
  connections: 1,
  run: (surroundings) =>
    measureWrites(surroundings, 'uploads', (url) => ({
      url: `${url}/batch`,
      lines: surroundings.uploadLines,
      warmups: 1,
      atLeast: UPLOADS_LEAST,
      seconds: surroundings.seconds,
    })),
}

export const oneGibUpload: Workload = {
  name: 'upload-1gib',
  about: '1 GiB of text lines in one chunked request to a server just started',
  connections: 1,
  long: true,
  run: (surroundings) =>
    measureWrites(surroundings, 'uploads', (url) => ({
      url: `${url}/batch`,
      lines: Math.ceil(GIB / LINE_BYTES),
      warmups: 0,
      atLeast: 1,
      seconds: 0,
    })),
}
