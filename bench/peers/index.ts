/** The list of peers. */
import { durableStreams } from './durable-streams.ts'
import { influxdb } from './influxdb.ts'
import { kinesalite } from './kinesalite.ts'
import { nats, natsSynced } from './nats.ts'
import type { Peer } from './peer.ts'
import { redis } from './redis.ts'

export const PEERS: readonly Peer[] = [redis, influxdb, natsSynced, nats, kinesalite, durableStreams]
