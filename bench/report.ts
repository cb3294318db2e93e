/** Measurements -> the table, and the sentence that says whether a row can be believed. */
import { type Column, formatNumber, formatTable } from './table.ts'
import type { Measurement, Workload } from './workloads/workload.ts'

export interface Row {
  readonly workload: Workload
  readonly measurement: Measurement
}

const MB = 1e6
const ABSENT = '-'

const COLUMNS: readonly Column<Row>[] = [
  { title: 'workload', align: 'left', text: ({ workload }) => workload.name },
  { title: 'connections', align: 'right', text: ({ workload }) => String(workload.connections) },
  {
    title: 'events/s',
    align: 'right',
    text: ({ measurement: { load } }) => count(load.events / load.seconds),
  },
  {
    title: 'MB/s',
    align: 'right',
    text: ({ measurement: { load } }) => formatNumber(load.bytes / MB / load.seconds),
  },
  { title: 'p50 ms', align: 'right', text: ({ measurement: { load } }) => formatNumber(load.p50Ms) },
  { title: 'p99 ms', align: 'right', text: ({ measurement: { load } }) => formatNumber(load.p99Ms) },
  { title: 'server RSS peak MB', align: 'right', text: ({ measurement }) => rssPeakMb(measurement) },
  { title: 'server CPU us per event', align: 'right', text: ({ measurement }) => cpuPerEvent(measurement) },
  { title: '', align: 'left', text: ({ measurement }) => complaints(measurement) },
]

export function resultTable(rows: readonly Row[]): string {
  return formatTable(COLUMNS, rows)
}

/** For a line of its own: what was checked, who was busy, what the memory is made of. */
export function verification({ acknowledged, stored, load, server }: Measurement): string {
  const parts = [
    `verified: ${count(acknowledged)} acknowledged, ${count(stored)} stored`,
    `load busy ${percent(load.busy)}`,
  ]
  if (server !== undefined) {
    parts.push(`server busy ${percent(server.cpuSeconds / load.seconds)}`)
    parts.push(
      `server RSS at the end ${megabytes(server.rssOwnBytes)} MB own + ${megabytes(server.rssFilesBytes)} MB mapped files`,
    )
  }
  return parts.join('; ')
}

/** Whether everything was answered 2xx, and everything acknowledged is there. */
export function isSound(measurement: Measurement): boolean {
  return complaints(measurement) === ''
}

function complaints({ load, acknowledged, stored }: Measurement): string {
  const failures = Object.entries(load.failures).map(([reason, times]) => `${reason}: ${count(times)}`)
  const found: string[] = []
  if (failures.length > 0) found.push(`not answered 2xx: ${failures.join(', ')}`)
  if (stored < acknowledged) found.push(`LOST ${count(acknowledged - stored)} acknowledged events`)
  return found.join('; ')
}

function rssPeakMb({ server }: Measurement): string {
  return server === undefined ? ABSENT : megabytes(server.rssPeakBytes)
}

function cpuPerEvent({ server, load }: Measurement): string {
  return server === undefined ? ABSENT : formatNumber((server.cpuSeconds * 1e6) / load.events)
}

function megabytes(bytes: number): string {
  return formatNumber(bytes / MB)
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
