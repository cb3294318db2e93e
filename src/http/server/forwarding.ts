/**
 * Sends requests on to the node that holds the coordinator, and its answers back, as they arrive. The head stays as the client
 * sent it, with its token; what belongs to one connection alone is left out.
 *
 *   Millrace-Forwarded: <id of the node>   a request that was sent on. No node sends it on again.
 *   Millrace-Forwarded: refused            an answer of a node that has not taken such a request: it does not have the coordinator
 *
 * A request that the other node has certainly not carried out, or that has no effect, is tried again while it may wait. The body is
 * only read when the other node has asked for it (`100 Continue`), so that it is still there for the next try.
 *
 * A slow client is cut as on the node itself. Between client and coordinator at most the buffers of two sockets are in memory.
 */
import { Agent, type IncomingMessage, type RequestOptions, request, type ServerResponse } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { SecureContextOptions as TlsOptions } from 'node:tls'
import { CountedResource } from '../../shared-resource.ts'
import type { Upload } from './body-memory.ts'
import type { Load } from './load.ts'
import { type Problem, type ShapeOf, writeProblem } from './problem.ts'
import { bodyIsLarge, dropBody } from './refusals.ts'
import type { SlowClients } from './slow-clients.ts'

export const FORWARDED_HEADER = 'millrace-forwarded'

const REFUSED = 'refused'

/** Whether another node has sent the request on to this one. */
export function isForwarded({ headers }: IncomingMessage): boolean {
  return headers[FORWARDED_HEADER] !== undefined
}

/** This node takes the request: it asks for the body, if another node has sent the request on and waits for that. */
export function continueForwarded(incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (isForwarded(incoming) && /^100-continue$/i.test(incoming.headers.expect ?? '')) outgoing.writeContinue()
}

/** How a request goes on that no node has taken. */
export interface Attempt {
  readonly isFirst: boolean
  readonly mayRetry: () => boolean
  /** Tries again, later. */
  readonly retry: (nodeId: string) => void
}

export interface ForwardingNode {
  readonly id: string
  /** Undefined: the node has no address for others. */
  readonly url: string | undefined
}

export interface ForwardingOptions {
  /** Of this node. */
  readonly nodeId: string
  /** The node that holds the coordinator; undefined while there is none. */
  readonly target: () => ForwardingNode | undefined
  /** Whether the node may still answer a request that was sent on to it. */
  readonly isAlive: (nodeId: string) => boolean
  readonly load: Load
  readonly slowClients: SlowClients
  readonly shapeOf: ShapeOf
  /** Requests that are sent on at a time. */
  readonly requestsMax: number
  /** What this node shows to others that require a certificate. */
  readonly tls?: Pick<TlsOptions, 'cert' | 'key'> | undefined
}

/** Of one connection alone, or set by this node itself. */
const NOT_SENT_ON: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te'],
  ...['trailer', 'upgrade', 'expect', FORWARDED_HEADER],
])
/** Headers of answers that this node adds to all of its own. */
const NOT_SENT_BACK: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'upgrade'],
  ...['x-content-type-options', 'referrer-policy', 'strict-transport-security'],
  FORWARDED_HEADER,
])
/** Methods without effect: to carry such a request out twice does no harm. */
const WITHOUT_EFFECT: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS'])
/** A node that has not asked for the body after this time is sent it: something between the nodes does not know 100. */
const CONTINUE_MS = 10_000
const CONNECT_MS = 5_000
/** How often requests to nodes that have died are looked for. */
const POLL_INTERVAL_MS = 1_000
const RETRY_AFTER = { 'Retry-After': '5' }

export class Forwarding extends CountedResource {
  readonly #options: ForwardingOptions
  readonly #agent = new Agent({ keepAlive: true })
  readonly #tlsAgent: TlsAgent
  /** Each request has a connection of its own. */
  readonly #newTlsAgent: TlsAgent
  readonly #open = new Set<Exchange>()
  #timer: NodeJS.Timeout | undefined
  /** Requests that were sent on since the start. */
  total = 0

  constructor(options: ForwardingOptions) {
    super('forwarded requests', options.requestsMax)
    this.#options = options
    const { cert, key } = options.tls ?? {}
    const identity = { ...(cert && { cert }), ...(key && { key }) }
    this.#tlsAgent = new TlsAgent({ keepAlive: true, ...identity })
    this.#newTlsAgent = new TlsAgent({ keepAlive: false, ...identity })
  }

  /** Answers the request, now or later, unless it is tried again. */
  forward(incoming: IncomingMessage, outgoing: ServerResponse, attempt: Attempt): void {
    const node = this.#options.target()
    const isHere = node === undefined || node.id === this.#options.nodeId
    if (isHere && !isForwarded(incoming) && attempt.mayRetry()) {
      attempt.retry(this.#options.nodeId)
      return
    }
    const obstacle = this.#obstacle(incoming, node)
    if (obstacle !== undefined) {
      this.#refuse(incoming, outgoing, obstacle)
      return
    }
    const client = this.#options.load.clientOf(incoming)
    this.share.take(client, 1)
    if (attempt.isFirst) this.total++
    const exchange = new Exchange(node as AddressedNode, incoming, outgoing, {
      ...{ ...this.#options, ...attempt },
      // A connection that was in use before may be closed just as the request is written, and then it is not known what happened to it.
      send: (options, isTls, mayReuse) => {
        if (isTls) return tlsRequest({ ...options, agent: mayReuse ? this.#tlsAgent : this.#newTlsAgent })
        return request({ ...options, agent: mayReuse ? this.#agent : false })
      },
      ended: () => {
        this.share.give(client, 1)
        this.#open.delete(exchange)
        if (this.#open.size > 0) return
        clearInterval(this.#timer)
        this.#timer = undefined
      },
      refuse: (text, isUnknown) => this.#refuse(incoming, outgoing, text, isUnknown),
    })
    this.#open.add(exchange)
    this.#timer ??= setInterval(() => this.#poll(), POLL_INTERVAL_MS).unref()
    exchange.begin()
  }

  /** Why the request cannot be sent on, as a sentence. */
  #obstacle(incoming: IncomingMessage, node: ForwardingNode | undefined): string | undefined {
    if (node === undefined || node.id === this.#options.nodeId)
      return 'no node runs tables, jobs and queries at the moment'
    if (isForwarded(incoming)) return MOVING
    if (node.url === undefined)
      return `node ${node.id} runs tables, jobs and queries, and has no address for other nodes; start it with --node-url`
    if (this.share.fits(1)) return undefined
    this.refused++
    return 'more requests are sent on to another node than can be done'
  }

  /** Ends answers that have no end of their own. */
  endFollowers(): void {
    for (const exchange of [...this.#open]) exchange.endIfFollower()
  }

  /** Ends what is under way: the service stops. */
  close(): void {
    for (const exchange of [...this.#open]) exchange.fail('the service is being stopped')
    this.#newTlsAgent.destroy()
    this.#agent.destroy()
    this.#tlsAgent.destroy()
  }

  #poll(): void {
    for (const exchange of [...this.#open])
      if (!this.#options.isAlive(exchange.nodeId)) exchange.fail(`node ${exchange.nodeId} has stopped`)
  }

  /** `isUnknown`: the request may have been carried out, so a client must not repeat it by itself. */
  #refuse(incoming: IncomingMessage, outgoing: ServerResponse, text: string, isUnknown = false): void {
    const problem: Problem = {
      status: 503,
      code: 'coordinator_away',
      text: isUnknown
        ? `${text}; the outcome is unknown: look whether the request was carried out before you send it again`
        : `${text}; try again later`,
      headers: {
        ...(!isUnknown && RETRY_AFTER),
        ...(isForwarded(incoming) && { 'Millrace-Forwarded': REFUSED }),
      },
    }
    writeProblem(incoming, outgoing, problem, this.#options.shapeOf)
    if (bodyIsLarge(incoming)) dropBody(incoming)
  }
}

interface AddressedNode {
  readonly id: string
  readonly url: string
}

type OfForwarding = Pick<ForwardingOptions, 'nodeId' | 'load' | 'slowClients'>

interface ExchangeParts extends OfForwarding, Pick<Attempt, 'mayRetry' | 'retry'> {
  readonly send: (options: RequestOptions, isTls: boolean, mayReuse: boolean) => ReturnType<typeof request>
  /** Called once. */
  readonly ended: () => void
  readonly refuse: (text: string, isUnknown: boolean) => void
}

const MOVING = 'tables, jobs and queries are moving to another node'

/** One try to send a request on. */
class Exchange {
  readonly nodeId: string
  readonly #url: string
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  readonly #parts: ExchangeParts
  #sent: ReturnType<typeof request> | undefined
  /** The request has been written, or is being. */
  #mayHaveArrived = false
  #readsBody = false
  readonly #left = () => this.#end()
  #upload: Upload | undefined
  #isFollower = false
  #isOver = false

  constructor(
    node: AddressedNode,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    parts: ExchangeParts,
  ) {
    this.nodeId = node.id
    this.#url = node.url
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#parts = parts
  }

  begin(): void {
    this.#outgoing.once('close', this.#left)
    this.#send(this.#hasBody)
  }

  /** Ends it: it is tried again, or answered with a refusal, or its connection is closed if its answer has begun. */
  fail(text: string): void {
    const hasNoEffect = WITHOUT_EFFECT.has(this.#incoming.method)
    this.#notTaken(text, this.#mayHaveArrived && !hasNoEffect)
  }

  #notTaken(text: string, isUnknown: boolean): void {
    if (this.#isOver) return
    const mayRetry = !isUnknown && !this.#readsBody && !this.#outgoing.headersSent && this.#parts.mayRetry()
    this.#end()
    if (mayRetry) this.#parts.retry(this.nodeId)
    else if (this.#outgoing.headersSent) this.#outgoing.destroy()
    else this.#parts.refuse(text, isUnknown)
  }

  endIfFollower(): void {
    if (this.#isFollower) this.#outgoing.end()
  }

  get #hasBody(): boolean {
    const { headers } = this.#incoming
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  }

  #send(hasBody: boolean, isFirst = true): void {
    const { method, url: path } = this.#incoming
    const target = new URL(this.#url)
    const isTls = target.protocol === 'https:'
    const sent = this.#parts.send(
      {
        protocol: target.protocol,
        hostname: target.hostname.replace(/^\[|\]$/g, ''),
        port: target.port,
        path: `${target.pathname.replace(/\/$/, '')}${originForm(path!)}`,
        method,
        headers: this.#headers(hasBody) as unknown as Record<string, string>,
        timeout: CONNECT_MS,
      },
      isTls,
      WITHOUT_EFFECT.has(method),
    )
    this.#sent = sent
    sent.once('socket', (socket) => {
      const connected = () => {
        this.#mayHaveArrived = true
        sent.setTimeout(hasBody ? CONTINUE_MS : 0)
      }
      if (sent.reusedSocket) connected()
      else socket.once(isTls ? 'secureConnect' : 'connect', connected)
    })
    sent.once('timeout', () => {
      if (this.#mayHaveArrived) this.#sendBody()
      else sent.destroy(new Error(`it could not be reached within ${CONNECT_MS / 1000} s`))
    })
    sent.once('continue', () => this.#sendBody())
    sent.once('response', (answer) => this.#answer(answer))
    sent.on('error', (error) => {
      if (this.#isOver || this.#outgoing.headersSent) return
      // The node closes a connection that is not in use at any time, perhaps just as it is used again.
      if (sent.reusedSocket && isFirst && !hasBody) this.#send(hasBody, false)
      else
        this.fail(
          `node ${this.nodeId}, which runs tables, jobs and queries, did not answer (${error.message})`,
        )
    })
    if (hasBody) sent.flushHeaders()
    else sent.end()
  }

  /** As the client sent them, in their order. */
  #headers(hasBody: boolean): string[] {
    const { rawHeaders, method, headers } = this.#incoming
    const sent: string[] = []
    for (let i = 0; i < rawHeaders.length; i += 2)
      if (!NOT_SENT_ON.has(rawHeaders[i]!.toLowerCase())) sent.push(rawHeaders[i]!, rawHeaders[i + 1]!)
    if (headers.host === undefined) sent.push('Host', new URL(this.#url).host)
    const hasLength = headers['content-length'] !== undefined
    if (!hasBody && !hasLength && method !== 'GET' && method !== 'HEAD') sent.push('Content-Length', '0')
    if (hasBody) sent.push('Expect', '100-continue')
    sent.push('Millrace-Forwarded', this.#parts.nodeId)
    return sent
  }

  #sendBody(): void {
    if (this.#isOver || this.#readsBody) return
    this.#readsBody = true
    const incoming = this.#incoming
    const sent = this.#sent!
    sent.setTimeout(0)
    const { slowClients, load } = this.#parts
    const upload = slowClients.beginUpload(incoming, load)
    this.#upload = upload
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      upload.pace.moved = bytes
      if (this.#isOver || sent.destroyed || sent.write(chunk)) return
      incoming.pause()
      upload.pace.stopAwaiting()
      sent.once('drain', () => {
        upload.pace.awaitClient()
        incoming.resume()
      })
    })
    incoming.once('end', () => {
      if (upload.complete()) sent.end()
      upload.end()
    })
    incoming.once('error', () => sent.destroy())
    incoming.once('close', () => {
      if (!incoming.complete || upload.wasCut) sent.destroy()
      upload.end()
    })
  }

  #answer(answer: IncomingMessage): void {
    const outgoing = this.#outgoing
    const { slowClients } = this.#parts
    if (this.#isOver || outgoing.destroyed) return void answer.destroy()
    if (answer.headers[FORWARDED_HEADER] === REFUSED) {
      this.#notTaken(MOVING, false)
      return
    }
    const headers = Object.fromEntries(
      Object.entries(answer.headers).filter(
        ([name]) => !NOT_SENT_BACK.has(name) && !name.startsWith('access-control-'),
      ),
    )
    this.#isFollower = answer.headers['content-type']?.startsWith('text/event-stream') === true
    outgoing.writeHead(answer.statusCode!, headers)
    outgoing.flushHeaders()
    let moved = 0
    const watched = slowClients.watchReader(outgoing, () => moved)
    answer.on('data', (chunk: Buffer) => {
      if (
        outgoing.write(chunk, () => {
          moved += chunk.length
        })
      )
        return
      answer.pause()
      outgoing.once('drain', () => answer.resume())
    })
    answer.once('end', () => {
      slowClients.forget(watched)
      outgoing.end()
      if (!this.#incoming.complete) dropBody(this.#incoming)
    })
    const broken = () => {
      slowClients.forget(watched)
      if (!answer.complete) outgoing.destroy()
    }
    answer.once('error', broken)
    answer.once('close', broken)
    outgoing.once('close', () => slowClients.forget(watched))
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#outgoing.off('close', this.#left)
    this.#upload?.end()
    this.#sent?.destroy()
    this.#parts.ended()
  }
}

/** The target of a request line without scheme and host, which a proxy may send. */
function originForm(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?!\/)/, '/')
}
