/**
 * Every path of this API: its method, the access it needs, its handler, and the audit action of a change. Each path is there under
 * every prefix, with and without /v1. Where the path names no namespace, `Scope` decides about the job.
 */
import type { AppOptions, AppParts, Route } from '../api.ts'
import { checkpointRoutes } from './checkpoint-routes.ts'
import { clusterRoutes } from './cluster-routes.ts'
import { jarRoutes } from './jar-routes.ts'
import { jobRoutes } from './job-routes.ts'
import { jobManagerLogs, taskManagerLogs } from './log-routes.ts'
import { metricRoutes } from './metric-routes.ts'
import { processRoutes } from './process-routes.ts'
import { Scope, type ScopeKind } from './scope.ts'
import { vertexRoutes } from './vertex-routes.ts'

const PROXY = '/service/:service/flink/proxy'

export const PREFIXES: readonly (readonly [prefix: string, ScopeKind])[] = [
  ['', 'all'],
  ['/v3/namespaces/:namespace/flink', 'namespace'],
  [`/v1/project/:project${PROXY}`, 'service'],
  [`/v1/project/:project/test${PROXY}`, 'service'],
]

export function routes(parts: AppParts, options: AppOptions): readonly Route[] {
  return PREFIXES.flatMap(([prefix, kind]) => {
    const scope = new Scope(kind, parts)
    const rowsOf = rowsIn(scope, parts, options)
    return [...rowsOf(prefix), ...rowsOf(`${prefix}/v1`)]
  })
}

function rowsIn(scope: Scope, parts: AppParts, options: AppOptions): (P: string) => readonly Route[] {
  const { read, change } = scope
  const cluster = clusterRoutes(parts, scope, options, true)
  const processes = processRoutes(parts, scope)
  const service = jobManagerLogs(parts)
  const worker = taskManagerLogs(parts)
  const jar = jarRoutes(parts, scope, options)
  const job = jobRoutes(parts, scope, options)
  const vertex = vertexRoutes(parts, scope, options)
  const checkpoint = checkpointRoutes(parts, scope, options)
  const metric = metricRoutes(parts, scope, options)

  return (P) => {
    const M = `${P}/jobmanager`
    const T = `${P}/taskmanagers`
    const J = `${P}/jobs/:job`
    const V = `${J}/vertices/:vertex`
    return [
      ['GET', `${P}/overview`, read, cluster.overview],
      ['GET', `${P}/config`, read, cluster.config],
      ['DELETE', `${P}/cluster`, 'operator', cluster.shutdown, 'cluster.stop'],
      ['GET', `${P}/datasets`, read, cluster.dataSets],
      ['DELETE', `${P}/datasets/:dataset`, 'operator', cluster.deleteDataSet],
      ['GET', `${P}/datasets/delete/:trigger`, 'operator', cluster.dataSetDeletion],
      ['POST', `${P}/savepoint-disposal`, 'operator', cluster.disposeSavepoint, 'savepoint.delete'],
      ['GET', `${P}/savepoint-disposal/:trigger`, 'operator', cluster.disposal],

      ['GET', `${M}/config`, 'operator', processes.config],
      ['GET', `${M}/environment`, 'operator', processes.environment],
      ['GET', `${M}/logs`, 'operator', service.list],
      ['GET', `${M}/logs/:file`, 'operator', service.file],
      ['GET', `${M}/log`, 'operator', service.log],
      ['GET', `${M}/stdout`, 'operator', service.stdout],
      ['GET', `${M}/thread-dump`, 'operator', service.threads],
      ['GET', `${M}/metrics`, read, metric.jobManager],
      ['GET', `${M}/profiler`, 'operator', processes.profiles],
      ['POST', `${M}/profiler`, 'operator', processes.profile],
      ['GET', `${M}/profiler/:file`, 'operator', processes.profileFile],

      ['GET', T, read, processes.taskManagers],
      ['GET', `${T}/metrics`, read, metric.taskManagers],
      ['GET', `${T}/:taskmanager`, read, processes.taskManager],
      ['GET', `${T}/:taskmanager/logs`, 'operator', worker.list],
      ['GET', `${T}/:taskmanager/logs/:file`, 'operator', worker.file],
      ['GET', `${T}/:taskmanager/log`, 'operator', worker.log],
      ['GET', `${T}/:taskmanager/stdout`, 'operator', worker.stdout],
      ['GET', `${T}/:taskmanager/thread-dump`, 'operator', worker.threads],
      ['GET', `${T}/:taskmanager/metrics`, read, metric.taskManager],
      ['GET', `${T}/:taskmanager/profiler`, 'operator', processes.profiles],
      ['POST', `${T}/:taskmanager/profiler`, 'operator', processes.profile],
      ['GET', `${T}/:taskmanager/profiler/:file`, 'operator', processes.profileFile],

      ['GET', `${P}/jars`, 'operator', jar.list],
      ['POST', `${P}/jars/upload`, 'operator', jar.upload, 'jar.upload'],
      ['GET', `${P}/jars/:jar/plan`, 'operator', jar.plan],
      ['POST', `${P}/jars/:jar/plan`, 'operator', jar.plan],
      ['POST', `${P}/jars/:jar/run`, 'operator', jar.run, 'job.create'],
      ['DELETE', `${P}/jars/:jar`, 'operator', jar.delete, 'jar.delete'],

      ['GET', `${P}/jobs`, read, job.list],
      ['POST', `${P}/jobs`, read, job.submit],
      ['GET', `${P}/jobs/overview`, read, job.overview],
      ['GET', `${P}/jobs/metrics`, read, metric.jobs],
      ['GET', J, read, job.get],
      ['PATCH', J, change, job.patch, 'job.cancel'],
      ['GET', `${J}/yarn-cancel`, change, job.yarnCancel, 'job.cancel'],
      ['GET', `${J}/yarn-stop`, change, job.yarnStop],
      ['GET', `${J}/status`, read, job.status],
      ['GET', `${J}/config`, read, job.config],
      ['GET', `${J}/plan`, read, job.plan],
      ['GET', `${J}/exceptions`, read, job.exceptions],
      ['GET', `${J}/execution-result`, read, job.result],
      ['GET', `${J}/accumulators`, read, job.accumulators],
      ['GET', `${J}/metrics`, read, metric.job],
      ['GET', `${J}/jobmanager/config`, 'operator', processes.config],
      ['GET', `${J}/jobmanager/environment`, 'operator', processes.environment],
      ['GET', `${J}/resource-requirements`, read, job.requirements],
      ['PUT', `${J}/resource-requirements`, change, job.require],
      ['PATCH', `${J}/clientHeartbeat`, change, job.heartbeat],
      ['PATCH', `${J}/rescaling`, change, job.rescale],
      ['GET', `${J}/rescaling/:trigger`, read, job.rescaling],

      ['GET', `${J}/checkpoints`, read, checkpoint.list],
      ['POST', `${J}/checkpoints`, change, checkpoint.trigger, 'job.checkpoint'],
      ['GET', `${J}/checkpoints/config`, read, checkpoint.config],
      ['GET', `${J}/checkpoints/details/:checkpoint`, read, checkpoint.get],
      ['GET', `${J}/checkpoints/details/:checkpoint/subtasks/:vertex`, read, checkpoint.ofVertex],
      ['GET', `${J}/checkpoints/:trigger`, read, checkpoint.operation],
      ['POST', `${J}/savepoints`, change, checkpoint.savepoint, 'job.savepoint'],
      ['GET', `${J}/savepoints/:trigger`, read, checkpoint.operation],
      ['POST', `${J}/stop`, change, checkpoint.stop, 'job.stop'],

      ['GET', V, read, vertex.get],
      ['GET', `${V}/backpressure`, read, vertex.backpressure],
      ['GET', `${V}/watermarks`, read, vertex.watermarks],
      ['GET', `${V}/subtasktimes`, read, vertex.times],
      ['GET', `${V}/taskmanagers`, read, vertex.taskManagers],
      ['GET', `${V}/accumulators`, read, vertex.accumulators],
      ['GET', `${V}/flamegraph`, read, vertex.flameGraph],
      ['GET', `${V}/metrics`, read, metric.vertex],
      ['GET', `${V}/jm-operator-metrics`, read, metric.coordinator],
      ['GET', `${V}/subtasks/accumulators`, read, vertex.subtaskAccumulators],
      ['GET', `${V}/subtasks/metrics`, read, metric.subtasks],
      ['GET', `${V}/subtasks/:subtask`, read, vertex.subtask],
      ['GET', `${V}/subtasks/:subtask/metrics`, read, metric.subtask],
      ['GET', `${V}/subtasks/:subtask/attempts/:attempt`, read, vertex.attempt],
      ['GET', `${V}/subtasks/:subtask/attempts/:attempt/accumulators`, read, vertex.attemptAccumulators],
    ]
  }
}
