/** The entry point of the process that runs jobs. It has the clock of the machine, as the service has. */
import { SqlError } from '../../duckdb/sql-error.ts'
import { servicePort } from '../../worker/worker-child.ts'
import { endWithService, lowerPriority, watchMemory } from '../../worker/worker-process.ts'
import type { FromJobWorker, ToJobWorker } from './job-worker-protocol.ts'
import { JobWorkerServer } from './job-worker-server.ts'

if (process.platform === 'linux') lowerPriority()
endWithService()
watchMemory(
  new JobWorkerServer(servicePort<ToJobWorker, FromJobWorker>(), { nowMs: Date.now, random: Math.random }),
  () =>
    new SqlError(
      '53200',
      'the process of jobs needed more memory than it may use, so the running tick was interrupted',
    ),
)
