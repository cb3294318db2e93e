/** Writers over HTTP that go on through refusals until they are ended. Each stays at one node. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '../../support/connection.ts'
import { streamPath } from '../../support/kafka-services.ts'
import type { Tally } from './tally.ts'

/** The pause of a client that was refused. */
const REFUSED_PAUSE_MS = 50

export class Writers {
  #ended = false
  readonly #running: Promise<unknown>

  /** `count` writers, in turn over the streams and the ports. */
  constructor(
    tally: Tally,
    {
      count,
      streams,
      ports,
      name,
    }: { count: number; streams: readonly string[]; ports: readonly number[]; name: string },
  ) {
    for (const stream of streams) tally.begin(stream)
    const writers = Array.from({ length: count }, (_, i) => {
      const stream = streams[i % streams.length]!
      const port = ports[Math.floor(i / streams.length) % ports.length]!
      return this.#write(tally, stream, port, `${name}-${i}`)
    })
    this.#running = Promise.all(writers)
  }

  async end(): Promise<void> {
    this.#ended = true
    await this.#running
  }

  async #write(tally: Tally, stream: string, port: number, name: string): Promise<void> {
    const connection = new Connection(port)
    for (let n = 0; !this.#ended; n++) {
      const body = `${name} ${n}`
      const answer = await connection.send('POST', streamPath(stream), {}, body)
      tally.answered(stream, body, answer?.status === 200)
      if (answer?.status !== 200) await sleep(REFUSED_PAUSE_MS)
    }
    connection.close()
  }
}
