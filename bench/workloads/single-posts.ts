/** POST of one event per request. */
import type { Workload } from './workload.ts'
import { measureWrites } from './writes.ts'

export function singlePosts(connections: number): Workload {
  return {
    name: `post-${connections}`,
    about: 'one event per POST, answered once it is on disk',
    connections,
    run: (surroundings) =>
      measureWrites(surroundings, 'posts', (url) => ({ ...timesOf(surroundings), url, connections })),
  }
}

export function asyncPosts(connections: number): Workload {
  return {
    name: `async-${connections}`,
    about: 'one event per POST to /async, answered once it is queued',
    connections,
    run: (surroundings) =>
      measureWrites(surroundings, 'posts', (url) => ({
        ...timesOf(surroundings),
        url: `${url}/async`,
        connections,
      })),
  }
}

function timesOf({ seconds, warmupSeconds }: { seconds: number; warmupSeconds: number }) {
  return { seconds, warmupSeconds }
}
