/** The entry point of the process that plans statements. A hostile statement may end it, and nothing else. */
import { SqlError } from '../../duckdb/sql-error.ts'
import { servicePort } from '../../worker/worker-child.ts'
import { endWithService, lowerPriority, watchMemory } from '../../worker/worker-process.ts'
import type { FromPlanner, ToPlanner } from './planner-protocol.ts'
import { PlannerServer } from './planner-server.ts'

if (process.platform === 'linux') lowerPriority()
endWithService()
watchMemory(
  new PlannerServer(servicePort<ToPlanner, FromPlanner>()),
  () => new SqlError('53200', 'the planner is out of memory'),
)
