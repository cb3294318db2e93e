/** Metrics of the whole service for Prometheus. Each value is read from the part that counts it. */

import { CONNECTION_SERIES } from './cdc/connection-metrics.ts'
import type { DiskSpace } from './disk-space.ts'
import { JOB_SERIES, jobsByState } from './jobs/job-metrics.ts'
import type { LabelledSource, Prometheus, Source } from './metrics/prometheus.ts'
import type { OpenService } from './service.ts'
import type { SharedResource } from './shared-resource.ts'
import type { VisibleNames } from './streams/registry.ts'
import type { Supervisor } from './supervisor.ts'

/** The properties that are read from each part. */
export interface Counted {
  readonly load: Readonly<Record<'working' | 'done' | 'heldBytes' | 'reads' | 'readsBegun', number>>
  readonly gate: { readonly refused: number }
  readonly space: DiskSpace
  readonly answers: { byStatus(): Iterable<readonly [status: string, total: number]> }
  readonly problems: { byCode(): Iterable<readonly [code: string, total: number]> }
  readonly supervisor: Supervisor<OpenService>
  readonly writeRefusal: () => Error | undefined
  readonly shared: readonly SharedResource[]
  readonly nowMs: () => number
}

export function serviceSources(
  prometheus: Prometheus,
  { load, gate, space, answers, problems, supervisor, writeRefusal, shared, nowMs }: Counted,
): void {
  const sources: readonly [Source['kind'], name: string, help: string, Source['read']][] = [
    ['gauge', 'requests_working', 'Requests in work', () => load.working],
    ['counter', 'requests_worked_total', 'Requests that were in work and are answered', () => load.done],
    ['gauge', 'request_bytes', 'Bodies in memory, arriving or waiting for the disk', () => load.heldBytes],
    ['gauge', 'async_queue_bytes', 'Events of /async that wait', () => supervisor.service.asyncQueueBytes()],
    ['counter', 'reads_total', 'Reads of events', () => load.readsBegun],
    ['gauge', 'reads_sending', 'Long answers that are being sent', () => load.reads],
    ['counter', 'refused_total', 'Requests that were refused because of overload', () => gate.refused],
    [
      ...(['gauge', 'cached_result_bytes', 'Results of cached queries in memory'] as const),
      () => supervisor.service.coordinator()?.cdc.queries.figures().resultBytes ?? 0,
    ],
    ['counter', 'janitor_ticks_total', 'Rounds of the janitor', () => supervisor.service.janitor.ticks],
    ['counter', 'janitor_removed_total', 'Blocks it removed', () => supervisor.service.janitor.removed],
    ['gauge', 'disk_free_bytes', 'Free disk space; unknown with --min-free-disk 0', () => space.freeBytes],
    ['counter', 'recoveries_total', 'Times the store was opened again', () => supervisor.recoveries],
    ['gauge', 'writes_refused', '1 while events are refused', () => (writeRefusal() === undefined ? 0 : 1)],
  ]
  const connections = () => supervisor.service.coordinator()?.cdc.captures.list() ?? []
  for (const [kind, name, help, read] of sources)
    prometheus.add({ kind, name: `millrace_${name}`, help, read })
  if (supervisor.service.cluster !== undefined) clusterSources(prometheus, supervisor)
  prometheus.addLabelled({
    name: 'millrace_answers_total',
    help: 'Answers by their status',
    label: 'status',
    read: () => answers.byStatus(),
  })
  prometheus.addLabelled({
    name: 'millrace_problems_total',
    help: 'Refusals and failures by their code',
    label: 'code',
    read: () => problems.byCode(),
  })
  prometheus.addLabelled({
    name: 'millrace_jobs',
    help: 'SQL jobs by their state, those that have ended included',
    kind: 'gauge',
    label: 'state',
    read: () => jobsByState(supervisor.service.coordinator()?.jobs.byState() ?? new Map()),
  })
  prometheus.addLabelled({
    name: 'millrace_cached_queries',
    help: 'Cached queries by their status',
    kind: 'gauge',
    label: 'status',
    read: () => supervisor.service.coordinator()?.cdc.queries.figures().byStatus ?? [],
  })
  prometheus.addLabelled({
    name: 'millrace_cdc_connections',
    help: 'Connections that capture a database, by their status',
    kind: 'gauge',
    label: 'status',
    read: () => countsOf(connections().map(({ status }) => status)),
  })
  for (const { name, help, kind, values } of CONNECTION_SERIES) {
    const read = (visible: VisibleNames) =>
      values(connections().filter(({ namespace }) => visible(namespace).length > 0))
    prometheus.addVisible({ name, help, kind, read })
  }
  for (const { name, help, kind, values } of JOB_SERIES) {
    const read = (visible: VisibleNames) => {
      const live = supervisor.service.coordinator()?.jobs.live() ?? []
      const jobs = live.filter(({ namespace }) => visible(namespace).length > 0)
      return values(jobs, nowMs())
    }
    prometheus.addVisible({ name, help, kind, read })
  }
  const ofShared: readonly [LabelledSource['kind'], name: string, help: string, keyof SharedResource][] = [
    ['gauge', 'share_held', 'Of a resource that clients share: how much is held', 'held'],
    ['gauge', 'share_capacity', 'Of a resource that clients share: how much there is', 'capacity'],
    ['gauge', 'share_clients', 'Clients that hold some of it', 'clients'],
    ['counter', 'share_cut_total', 'Times a client lost some of it to another', 'cut'],
    ['counter', 'share_refused_total', 'Times a client was refused some of it', 'refused'],
  ]
  for (const [kind, name, help, count] of ofShared) {
    prometheus.addLabelled({
      ...{ kind, name: `millrace_${name}`, help, label: 'resource' },
      read: () =>
        [...shared, ...supervisor.service.shared].map((one) => [one.resource, one[count] as number]),
    })
  }
}

/** Of a node that shares its store with others. */
function clusterSources(prometheus: Prometheus, supervisor: Supervisor<OpenService>): void {
  const facts = () => supervisor.service.cluster!()
  const sources: readonly [Source['kind'], name: string, help: string, Source['read']][] = [
    ['gauge', 'nodes', 'Nodes that are alive, this one included', () => facts().nodes.length],
    ['gauge', 'node_live', '1 while this node reaches the store', () => (facts().isLive ? 1 : 0)],
    [
      ...(['gauge', 'node_coordinator', '1 while this node runs jobs and queries'] as const),
      () => (supervisor.service.coordinator() === undefined ? 0 : 1),
    ],
    ['counter', 'forwarded_total', 'Requests that were sent on to another node', () => facts().forwarded],
    ['gauge', 'replicas', 'Replicas of the catalog', () => facts().replicationFactor],
    ['gauge', 'replicas_in_sync', 'Those of them that are in sync', () => facts().inSyncReplicas],
    [
      'gauge',
      'cluster_problems',
      'Problems of the cluster that GET /status lists',
      () => facts().problems.length,
    ],
  ]
  for (const [kind, name, help, read] of sources)
    prometheus.add({ kind, name: `millrace_${name}`, help, read })
}

function countsOf(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
