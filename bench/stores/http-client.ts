/** Requests of the bench itself, to prepare and to check: never measured. */
import { Agent, type IncomingMessage, request } from 'node:http'

const agent = new Agent({ keepAlive: true })

/** Resolves with the body of the answer. Rejects if the answer is not 2xx. */
export async function send(
  method: string,
  url: string,
  body?: Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(url, { method, agent, headers: { ...headers, 'content-length': body?.length ?? 0 } })
    sent.once('response', resolve)
    sent.once('error', reject)
    sent.end(body)
  })
  let text = ''
  for await (const piece of answer) text += piece
  const { statusCode = 0 } = answer
  if (statusCode < 200 || statusCode >= 300)
    throw new Error(`${method} ${new URL(url).pathname} was answered ${statusCode} ${text}`)
  return text
}
