/** The streams of the bench: `bench` where there is one, else `bench-0`, `bench-1`, … */

export function streamName(at: number, streams: number): string {
  return streams === 1 ? 'bench' : `bench-${at % streams}`
}

export function streamPath(name: string): string {
  return `/v3/namespaces/default/streams/${name}`
}
