/** Whether the service is well, and what it is. */
import type { ServiceProcess } from '../../process/service-process.ts'
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer } from './answers.ts'
import { answerForm } from './media-types.ts'

export interface StatusParts {
  readonly process: ServiceProcess
  readonly storeFailure: () => Error | undefined
}

export function statusRoutes({ process: { build }, storeFailure }: StatusParts) {
  return {
    status(c: HttpContext) {
      const failure = storeFailure()
      if (failure !== undefined) throw new ServiceError('unhealthy', failure.message, { cause: failure })
      return answer(c, answerForm(c), {})
    },

    /** Empty texts are what is not known, or not there: no JVM. */
    systemInfo(c: HttpContext) {
      const { version, commit, wholeCommit } = build
      return answer(c, answerForm(c), {
        kind: 'SystemInformation',
        apiVersion: 'v1',
        status: {
          revisionInformation: {
            buildTime: '',
            buildVersion: version,
            commitShaLong: wholeCommit ?? '',
            commitShaShort: wholeCommit === undefined ? '' : commit,
          },
          jvmVersion: '',
          resourceQuota: {
            ...{ kind: 'ResourceQuota', apiVersion: 'v1', spec: { type: 'UNLIMITED' } },
            status: { used: { cpu: 0 } },
          },
        },
      })
    },
  }
}
