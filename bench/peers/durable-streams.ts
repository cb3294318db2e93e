/** The reference server of Durable Streams in Node, file-backed: a POST per event to one stream of bytes. */
import { httpLoad } from './http-load.ts'
import { nodeServer } from './node-server.ts'
import { eventPool, peer } from './peer.ts'
import { needsGlobalPackage } from './programs.ts'

const PACKAGE = '@durable-streams/server'
const PATH = '/bench/events'
const HEADERS = { 'content-type': 'application/octet-stream' }

export const durableStreams = peer({
  name: 'peer-durable-streams',
  about: 'Durable Streams reference server for Node, file-backed, POST',
  fsync: 'before every answer',
  unavailable: () => needsGlobalPackage(PACKAGE),
  command: (place) => nodeServer('durable-streams-process', PACKAGE, place),
  async prepare(port) {
    const answer = await fetch(`http://127.0.0.1:${port}${PATH}`, { method: 'PUT', headers: HEADERS })
    if (!answer.ok) throw new Error(`creating the stream: ${answer.status} ${await answer.text()}`)
  },
  load: (order) => httpLoad({ method: 'POST', path: PATH, headers: HEADERS, bodies: eventPool() }, order),
})
