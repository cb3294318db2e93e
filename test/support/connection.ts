/** One keep-alive connection to the service, used by one writer: a request at a time. */
import { Agent, request as httpRequest } from 'node:http'

export interface Answer {
  readonly status: number
  readonly text: string
}

export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  /** Undefined if the connection ended without a whole answer. */
  send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body: string | Uint8Array = '',
  ): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const request = httpRequest(
        { agent: this.#agent, host: '127.0.0.1', port: this.#port, method, path, headers },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (piece: string) => {
            text += piece
          })
          response.once('error', () => resolve(undefined))
          response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
        },
      )
      request.once('error', () => resolve(undefined))
      request.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
