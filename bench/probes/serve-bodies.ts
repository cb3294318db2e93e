/** The HTTP of the probes: whatever the path, the whole body is taken, and answered 200 without a body when told so. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const NO_BODY = { 'Content-Length': '0' }

export function serveBodies(take: (body: Buffer, answer: () => void) => void): void {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
      take(body, () => answerOk(response))
    })
  })
  process.on('SIGTERM', () => process.exit(0))
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`listening on http://127.0.0.1:${port}\n`)
  })
}

function answerOk(response: ServerResponse): void {
  response.writeHead(200, NO_BODY)
  response.end()
}
