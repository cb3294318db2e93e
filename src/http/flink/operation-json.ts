/** What has become of an asynchronous operation, and causes of failures, as Flink writes them. */
import type { Operation } from '../../jobs/savepoints/savepoint.ts'

export function operationJson(operation: Operation): object {
  switch (operation.state) {
    case 'in-progress':
      return { status: { id: 'IN_PROGRESS' } }
    case 'failed':
      return { status: { id: 'COMPLETED' }, operation: { 'failure-cause': causeJson(operation.message) } }
    case 'completed': {
      const { location, checkpointId } = operation
      return {
        status: { id: 'COMPLETED' },
        operation: {
          ...(location !== undefined && { location }),
          ...(checkpointId !== undefined && { checkpointId }),
        },
      }
    }
  }
}

export const EXCEPTION_CLASS = 'org.apache.flink.util.FlinkException'

/** There is no serialised Throwable: clients in Java show the trace. */
export function causeJson(message: string): object {
  return { class: EXCEPTION_CLASS, 'stack-trace': message, 'serialized-throwable': '' }
}
