/** The entry point of the process that runs queries, and of the one that checks them. */
import { servicePort } from '../worker/worker-child.ts'
import { endWithService, lowerPriority, watchMemory } from '../worker/worker-process.ts'
import type { FromWorker, ToWorker } from './query-worker-protocol.ts'
import { QueryWorkerServer } from './query-worker-server.ts'
import { outOfMemory } from './worker-failure.ts'

if (process.platform === 'linux') lowerPriority()
endWithService()
watchMemory(new QueryWorkerServer(servicePort<ToWorker, FromWorker>()), outOfMemory)
