/** A web server for tests: it records the deliveries of webhooks and returns the answers that the test chose. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface WebhookReceiver {
  readonly url: string
  readonly received: Received[]
  /** Status of the answers from now on; undefined: none is given. */
  status: number | undefined
}

export async function webhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = []
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      received.push({
        path: incoming.url!,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      })
      if (receiver.status === undefined) return
      outgoing.writeHead(receiver.status, { Location: `http://127.0.0.1:${port()}/redirected` })
      outgoing.end('thank you')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = () => (server.address() as AddressInfo).port
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const receiver: WebhookReceiver = { url: `http://127.0.0.1:${port()}/hook`, received, status: 200 }
  return receiver
}
