/**
 * The metrics of the service and of the process that runs jobs, under the names that Flink has for those of a JVM. V8 has no class
 * space and maps no files, so these are 0; a limit that is not known is -1.
 */
import { availableParallelism } from 'node:os'
import type { JobService } from '../../jobs/job-service.ts'
import type { WorkerView } from '../../jobs/worker-view.ts'
import type { ProcessFigures } from '../../process/process-figures.ts'
import { type Metrics, metricsOf } from './metric-answer.ts'
import { nonHeapBytes } from './taskmanager-json.ts'

/** `running`: jobs that the client may see. */
export function jobManagerMetrics(figures: ProcessFigures, jobs: JobService, running: number): Metrics {
  const { total, available } = jobs.slots()
  return new Map([
    ...jvmMetrics(figures),
    ...metricsOf({
      numRegisteredTaskManagers: jobs.worker() === undefined ? 0 : 1,
      numRunningJobs: running,
      taskSlotsTotal: total,
      taskSlotsAvailable: available,
    }),
  ])
}

/** Its load is that of one processor; Flink's is a share of all. */
export function taskManagerMetrics(worker: WorkerView): Metrics {
  const { cpuLoad } = worker
  return new Map([
    ...jvmMetrics({
      ...worker,
      cpuLoad: cpuLoad === undefined ? undefined : cpuLoad / availableParallelism(),
    }),
    ...metricsOf({
      'Status.Flink.Memory.Managed.Used': worker.engine.usedBytes,
      'Status.Flink.Memory.Managed.Total': worker.engine.limitBytes,
      'Status.Shuffle.Netty.UsedMemory': 0,
      'Status.Shuffle.Netty.TotalMemory': 0,
    }),
  ])
}

type Jvm = Pick<
  WorkerView,
  'heap' | 'externalBytes' | 'residentBytes' | 'cpuLoad' | 'cpuMs' | 'threads' | 'gc'
>

const NANOSECONDS_PER_MS = 1_000_000

function jvmMetrics(jvm: Jvm): Metrics {
  const { heap, externalBytes, cpuLoad, cpuMs, threads, gc } = jvm
  const nonHeap = nonHeapBytes(jvm)
  const collectors = gc.flatMap(({ name, count, ms }) => [
    [`GarbageCollector.${name}.Count`, count],
    [`GarbageCollector.${name}.Time`, Math.trunc(ms)],
  ])
  return metricsOf(
    {
      'Memory.Heap.Used': heap.used,
      'Memory.Heap.Committed': heap.total,
      'Memory.Heap.Max': heap.limit,
      'Memory.NonHeap.Used': nonHeap,
      'Memory.NonHeap.Committed': nonHeap,
      'Memory.NonHeap.Max': -1,
      'Memory.Direct.Count': -1,
      'Memory.Direct.MemoryUsed': externalBytes,
      'Memory.Direct.TotalCapacity': externalBytes,
      'Memory.Mapped.Count': 0,
      'Memory.Mapped.MemoryUsed': 0,
      'Memory.Mapped.TotalCapacity': 0,
      'Memory.Metaspace.Used': 0,
      'Memory.Metaspace.Committed': 0,
      'Memory.Metaspace.Max': -1,
      'CPU.Load': cpuLoad,
      'CPU.Time': Math.trunc(cpuMs * NANOSECONDS_PER_MS),
      'Threads.Count': threads,
      ...Object.fromEntries(collectors),
    },
    'Status.JVM.',
  )
}
