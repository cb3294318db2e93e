/**
 * Kinesalite, a stand-in for Amazon Kinesis on LevelDB: a PutRecord per event to a stream of one shard. LevelDB's write
 * log is not synced.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { httpLoad } from './http-load.ts'
import { nodeServer } from './node-server.ts'
import { eventPool, peer } from './peer.ts'
import { needsGlobalPackage } from './programs.ts'

const PACKAGE = 'kinesalite'
const STREAM = 'events'
const READY_MS_MAX = 10_000
const ASK_AGAIN_MS = 20

export const kinesalite = peer({
  name: 'peer-kinesalite',
  about: 'Kinesalite, PutRecord, one shard',
  fsync: 'never before an answer',
  unavailable: () => needsGlobalPackage(PACKAGE),
  command: (place) => nodeServer('kinesalite-process', PACKAGE, place),
  async prepare(port) {
    await call(port, 'CreateStream', { StreamName: STREAM, ShardCount: 1 })
    const deadline = Date.now() + READY_MS_MAX
    while (!(await call(port, 'DescribeStream', { StreamName: STREAM })).includes('"ACTIVE"')) {
      if (Date.now() > deadline) throw new Error('the stream does not become active')
      await sleep(ASK_AGAIN_MS)
    }
  },
  load: (order) =>
    httpLoad(
      {
        method: 'POST',
        path: '/',
        headers: headersOf('PutRecord'),
        bodies: eventPool().map((event, i) =>
          JSON.stringify({
            StreamName: STREAM,
            PartitionKey: String(i),
            Data: Buffer.from(event).toString('base64'),
          }),
        ),
      },
      order,
    ),
})

async function call(port: number, action: string, input: object): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: headersOf(action),
    body: JSON.stringify(input),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${action}: ${answer.status} ${text}`)
  return text
}

/** It wants to see a signature, and does not verify it. */
function headersOf(action: string): Record<string, string> {
  return {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `Kinesis_20131202.${action}`,
    'x-amz-date': '20240517T093012Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=bench/20240517/us-east-1/kinesis/aws4_request, ' +
      'SignedHeaders=host;x-amz-date;x-amz-target, Signature=0',
  }
}
