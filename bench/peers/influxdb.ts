/**
 * InfluxDB 1.x: a POST to `/write` per event, line protocol, one string field. Its write-ahead log is synced before the
 * answer, which is its default (`wal-fsync-delay = "0s"`), and said so here all the same.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { httpLoad } from './http-load.ts'
import { eventPool, type Place, peer } from './peer.ts'
import { needsProgram, programPath } from './programs.ts'

const DATABASE = 'bench'

export const influxdb = peer({
  name: 'peer-influxdb',
  about: 'InfluxDB 1.x, POST /write, wal-fsync-delay 0s',
  fsync: 'before every answer',
  unavailable: () => needsProgram('influxd', 'apt-get install influxdb'),
  command: async (place) => [programPath('influxd'), '-config', configured(place, await freePort())],
  async prepare(port) {
    const query = new URLSearchParams({ q: `CREATE DATABASE ${DATABASE}` })
    const answer = await fetch(`http://127.0.0.1:${port}/query?${query}`, { method: 'POST' })
    if (!answer.ok) throw new Error(`creating the database: ${answer.status} ${await answer.text()}`)
  },
  load: (order) =>
    httpLoad(
      {
        method: 'POST',
        path: `/write?db=${DATABASE}`,
        headers: {},
        bodies: eventPool().map((event) => `events body="${event}"`), // the server's clock gives the time
      },
      order,
    ),
})

/** Without its log of every request, and without the measurements it makes of itself: neither is in the comparison. */
function configured({ port, folder }: Place, backupPort: number): string {
  const path = (name: string) => JSON.stringify(join(folder, name))
  const file = join(folder, 'influxdb.conf')
  writeFileSync(
    file,
    `
reporting-disabled = true
bind-address = "127.0.0.1:${backupPort}"

[meta]
dir = ${path('meta')}

[data]
dir = ${path('data')}
wal-dir = ${path('wal')}
wal-fsync-delay = "0s"

[monitor]
store-enabled = false

[http]
bind-address = "127.0.0.1:${port}"
log-enabled = false
`,
  )
  return file
}
