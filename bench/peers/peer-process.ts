/** A peer as a child process on 127.0.0.1, from its first answer to its end; watched from outside through /proc. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { endWithUs } from '../cleanup.ts'
import { type Usage, usageOf } from '../processes/usage.ts'
import type { PeerDefinition, Place } from './peer.ts'

const START_MS_MAX = 30_000
const STOP_MS_MAX = 10_000
const ASK_AGAIN_MS = 20
/** Of what a peer printed, in an error. */
const LAST_WORDS = 2000

export class PeerProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  readonly #port: number

  private constructor(words: readonly string[], { port, folder }: Place) {
    const printed = `${folder}.log`
    const log = openSync(printed, 'w')
    this.#port = port
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', log, log], cwd: folder })
    closeSync(log)
    endWithUs(this.#child)
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) =>
        resolve(`${words.join(' ')} could not be started: ${error.message}`),
      )
      this.#child.once('exit', (code, signal) => {
        const words = readFileSync(printed, 'utf8').slice(-LAST_WORDS)
        resolve(`the peer ended with ${signal ?? `code ${code}`}; it printed: ${words}`)
      })
    })
  }

  /** Resolves once it takes connections. */
  static async start(
    place: Place,
    pin: readonly string[],
    command: PeerDefinition['command'],
  ): Promise<PeerProcess> {
    mkdirSync(place.folder, { recursive: true })
    const server = new PeerProcess([...pin, ...(await command(place))], place)
    try {
      await server.whileRunning(server.#connectable())
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  /** What `work` resolves with; rejects if the peer ends first. */
  whileRunning<T>(work: Promise<T>): Promise<T> {
    const ended = this.#ended.then((how): never => {
      throw new Error(how)
    })
    return Promise.race([work, ended])
  }

  /** Undefined where there is no /proc. */
  usage(): Usage | undefined {
    return usageOf(this.#child.pid)
  }

  async stop(): Promise<void> {
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX)
    this.#child.kill('SIGTERM')
    await this.#ended
    clearTimeout(deadline)
  }

  async #connectable(): Promise<void> {
    const deadline = Date.now() + START_MS_MAX
    for (;;) {
      const socket = connect(this.#port, '127.0.0.1')
      try {
        await once(socket, 'connect')
        return
      } catch (cause) {
        if (Date.now() > deadline)
          throw new Error(`the peer takes no connections ${START_MS_MAX} ms after its start`, { cause })
        await sleep(ASK_AGAIN_MS)
      } finally {
        socket.destroy()
      }
    }
  }
}
