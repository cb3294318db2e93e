/**
 * The process that runs jobs as a TaskManager. Flink's figures without a counterpart here are those by which Flink says that they are
 * not known: null, -1, and 0 where there is nothing of the kind.
 */
import { availableParallelism, totalmem } from 'node:os'
import type { JobService } from '../../jobs/job-service.ts'
import type { WorkerView } from '../../jobs/worker-view.ts'

const MIB = 1024 * 1024
const PATH = 'local://jobs'

type Slots = ReturnType<JobService['slots']>

export function taskManagerJson(worker: WorkerView, { total, available }: Slots) {
  const { heap, engine } = worker
  const cpuCores = availableParallelism()
  return {
    id: worker.id,
    path: PATH,
    dataPort: -1,
    jmxPort: -1,
    timeSinceLastHeartbeat: Math.trunc(worker.heartbeatMs),
    slotsNumber: total,
    freeSlots: available,
    totalResource: resource(cpuCores, heap.limit, engine.limitBytes),
    freeResource: resource(
      Math.max(0, cpuCores - (worker.cpuLoad ?? 0)),
      heap.limit - heap.used,
      engine.limitBytes - engine.usedBytes,
    ),
    hardware: {
      cpuCores,
      physicalMemory: totalmem(),
      freeMemory: heap.limit - heap.used,
      managedMemory: engine.limitBytes,
    },
    memoryConfiguration: {
      frameworkHeap: null,
      taskHeap: heap.limit,
      frameworkOffHeap: null,
      taskOffHeap: null,
      networkMemory: null,
      managedMemory: engine.limitBytes,
      jvmMetaspace: null,
      jvmOverhead: null,
      totalFlinkMemory: null,
      totalProcessMemory: null,
    },
  }
}

/** `running`: ids of the jobs whose slots the client may see. */
export function taskManagerWithMetrics(worker: WorkerView, slots: Slots, running: readonly string[]) {
  const { heap, externalBytes } = worker
  const nonHeap = nonHeapBytes(worker)
  return {
    ...taskManagerJson(worker, slots),
    metrics: {
      heapUsed: heap.used,
      heapCommitted: heap.total,
      heapMax: heap.limit,
      nonHeapUsed: nonHeap,
      nonHeapCommitted: nonHeap,
      nonHeapMax: -1,
      directCount: -1,
      directUsed: externalBytes,
      directMax: -1,
      mappedCount: 0,
      mappedUsed: 0,
      mappedMax: 0,
      memorySegmentsAvailable: 0,
      memorySegmentsTotal: 0,
      nettyShuffleMemorySegmentsAvailable: 0,
      nettyShuffleMemorySegmentsUsed: 0,
      nettyShuffleMemorySegmentsTotal: 0,
      nettyShuffleMemoryAvailable: 0,
      nettyShuffleMemoryUsed: 0,
      nettyShuffleMemoryTotal: 0,
      garbageCollectors: worker.gc.map(({ name, count, ms }) => ({ name, count, time: Math.trunc(ms) })),
    },
    allocatedSlots: running.map((jobId) => ({ jobId, resource: resource(0, 0, 0) })),
  }
}

/** What the process holds besides V8's heap and the memory that JavaScript objects own outside of it. */
export function nonHeapBytes({
  residentBytes,
  heap,
  externalBytes,
}: Pick<WorkerView, 'residentBytes' | 'heap' | 'externalBytes'>): number {
  return Math.max(0, residentBytes - heap.total - externalBytes)
}

/** Memory in MiB. Jobs have no share of their own: they use that of the process in turn. */
function resource(cpuCores: number, heapBytes: number, engineBytes: number): object {
  return {
    cpuCores: Math.round(cpuCores * 100) / 100,
    taskHeapMemory: Math.trunc(heapBytes / MIB),
    taskOffHeapMemory: 0,
    managedMemory: Math.trunc(engineBytes / MIB),
    networkMemory: 0,
    extendedResources: {},
  }
}
