/** Redis Streams: an XADD per event, with the append-only file synced before any answer. */
import { clientLoad } from './client-load.ts'
import { peer } from './peer.ts'
import { needsProgram, programPath } from './programs.ts'

export const redis = peer({
  name: 'peer-redis',
  about: 'Redis Streams, XADD, appendfsync always',
  fsync: 'before every answer',
  unavailable: () => needsProgram('redis-server', 'apt-get install redis-server'),
  command: ({ port, folder }) => [
    programPath('redis-server'),
    ...['--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
  ],
  load: (order) => clientLoad('redis-process', order),
})
