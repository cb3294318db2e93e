/** Starts a peer as a child process on 127.0.0.1 and waits until it takes connections. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChildServer } from '../processes/child-server.ts'
import type { PeerDefinition, Place } from './peer.ts'

const START_MS_MAX = 30_000
export const STOP_MS_MAX = 10_000
const RETRY_MS = 20
/** Characters of a peer's output in an error. */
const PRINTED_MAX = 2000

/** Resolves once the peer takes connections. */
export async function startPeer(
  place: Place,
  pin: readonly string[],
  command: PeerDefinition['command'],
): Promise<ChildServer> {
  mkdirSync(place.folder, { recursive: true })
  const server = spawnPeer([...pin, ...(await command(place))], place)
  try {
    await server.whileRunning(connectable(place.port))
  } catch (error) {
    await server.stop(STOP_MS_MAX)
    throw error
  }
  return server
}

function spawnPeer(words: readonly string[], { folder }: Place): ChildServer {
  const printed = `${folder}.log`
  const log = openSync(printed, 'w')
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', log, log], cwd: folder })
  closeSync(log)
  return new ChildServer(child, `peer ${words.join(' ')}`, () =>
    readFileSync(printed, 'utf8').slice(-PRINTED_MAX),
  )
}

async function connectable(port: number): Promise<void> {
  const deadline = Date.now() + START_MS_MAX
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (cause) {
      if (Date.now() > deadline)
        throw new Error(`the peer takes no connections ${START_MS_MAX} ms after its start`, { cause })
      await sleep(RETRY_MS)
    } finally {
      socket.destroy()
    }
  }
}
