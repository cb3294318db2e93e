/** Nodes: the built service as processes, with streams on a Kafka cluster of a test. */
import { Connection } from './connection.ts'
import { freePort } from './free-port.ts'
import type { TestKafka } from './kafka.ts'
import { CLI, listening, type ServiceProcess, spawnCli, temporaryFolder } from './service-process.ts'

/** A node starts in less, and the coordinators of a cluster that has just started take some seconds. */
const READY_MS = 180_000

export interface NodeOptions {
  /** Where its brokers are, or proxies in front of them. */
  readonly kafka: Pick<TestKafka, 'addresses'>
  readonly prefix: string
  /** Of an earlier life of the node. */
  readonly folder?: string
  /** The file that starts it, by default that of the build. */
  readonly cli?: string
  readonly args?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export interface KafkaNode {
  readonly service: ServiceProcess
  readonly port: number
  readonly folder: string
}

/** Starts a node; resolves when it listens. It is killed when the test is over. */
export async function startNode(options: NodeOptions): Promise<KafkaNode> {
  const { kafka, prefix, cli = CLI, args = [], environment = {} } = options
  const folder = options.folder ?? (await temporaryFolder())
  const port = await freePort()
  const brokers = kafka.addresses.map(({ host, port }) => `${host}:${port}`).join(',')
  const safety = kafka.addresses.length < 3 ? ['--insecure-kafka'] : []
  const log = ['--log', `kafka://${brokers}`, '--kafka-prefix', prefix, ...safety]
  const own = ['--port', `${port}`, '--data', folder]
  const process = spawnCli({ args: [...own, ...log, ...args], environment }, cli)
  return { service: await listening(process, READY_MS), port, folder }
}

export function startNodes(count: number, options: NodeOptions): Promise<KafkaNode[]> {
  return Promise.all(Array.from({ length: count }, () => startNode(options)))
}

export const streamPath = (stream: string) => `/v3/namespaces/default/streams/${stream}`

/** One request on a connection of its own. Status 0: there was no whole answer. */
export async function send(
  port: number,
  method: string,
  path: string,
  { headers = {}, body = '' }: { headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const connection = new Connection(port)
  const answer = await connection.send(method, path, headers, body)
  connection.close()
  return answer ?? { status: 0, text: '' }
}

/** Sends it until it is answered with success, while brokers or nodes change places. */
export async function sendUntilDone(
  port: number,
  method: string,
  path: string,
  options: Parameters<typeof send>[3] = {},
  withinMs = 120_000,
): Promise<string> {
  const endMs = performance.now() + withinMs
  for (;;) {
    const { status, text } = await send(port, method, path, options)
    if (status >= 200 && status < 300) return text
    if (performance.now() > endMs) throw new Error(`${method} ${path} was answered ${status} ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

export interface ReadBack {
  readonly bodies: readonly string[]
  readonly cursors: readonly string[]
}

/** Everything in a stream. */
export async function readStream(port: number, stream: string): Promise<ReadBack> {
  const headers = { Accept: 'application/x-ndjson' }
  const text = await sendUntilDone(port, 'GET', `${streamPath(stream)}/events?cursor=true`, { headers })
  const events = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { body: string; cursor: string })
  return { bodies: events.map(({ body }) => body), cursors: events.map(({ cursor }) => cursor) }
}
