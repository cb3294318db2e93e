/** Figures of connections as series for Prometheus. */
import type { ConnectionView } from './capture-service.ts'

/** Connections with series of their own, the oldest first. */
const CONNECTIONS_MAX = 100

export interface ConnectionSeries {
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  readonly values: (connections: readonly ConnectionView[]) => readonly ConnectionValue[]
}

export interface ConnectionValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

type Read = (connection: ConnectionView) => number | undefined

const SERIES: readonly (readonly [ConnectionSeries['kind'], name: string, help: string, read: Read])[] = [
  [
    'gauge',
    'up',
    '1 while the connection streams or copies its tables',
    ({ status }) => Number(isUp(status)),
  ],
  [
    'gauge',
    'lag_bytes',
    "From the confirmed position to the end of the server's log",
    ({ lagBytes }) => lagBytes,
  ],
  [
    'gauge',
    'last_commit_timestamp_seconds',
    'Time of the last captured commit, since 1970',
    ({ lastCommitMs }) => lastCommitMs && lastCommitMs / 1000,
  ],
  ['gauge', 'tables', 'Captured tables', ({ tables }) => tables.length],
  ['gauge', 'snapshot_rows', 'Rows that snapshots have read', ({ snapshot }) => snapshot.rows],
  // It begins anew when the store is opened again, as a counter may.
  ['counter', 'reconnects_total', 'Attempts to connect after the first', ({ reconnects }) => reconnects],
]

export const CONNECTION_SERIES: readonly ConnectionSeries[] = SERIES.map(([kind, name, help, read]) => ({
  ...{ kind, name: `millrace_cdc_${name}`, help },
  values: (connections) =>
    connections.slice(0, CONNECTIONS_MAX).flatMap((connection) => {
      const value = read(connection)
      const labels = { namespace: connection.namespace, connection: connection.name }
      return value === undefined ? [] : [{ labels, value }]
    }),
}))

function isUp(status: ConnectionView['status']): boolean {
  return status === 'running' || status === 'snapshotting'
}
