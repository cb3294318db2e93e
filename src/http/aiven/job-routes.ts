/** Jobs: create, list, get, cancel, validate. */
import type { JobView } from '../../jobs/job.ts'
import { jobDetail } from '../../jobs/job-detail.ts'
import type { JobService } from '../../jobs/job-service.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import { answerJson } from '../messages/answers.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { serviceOf } from '../server/service-names.ts'
import { AIVEN_DOCUMENTS } from './documents.ts'
import { answerList } from './object-answer.ts'
import { positionOf, problemFound } from './validate-answer.ts'

export function jobRoutes(jobs: JobService, namespaces: Namespaces, options: AppOptions) {
  const readDocument = documentReader(AIVEN_DOCUMENTS, options)

  /** Jobs of cached queries are not jobs of this API: they have no statement that it could create. */
  function jobOf(namespace: NamespaceName, jid: string): JobView {
    const job = jobs.get(namespace, jid)
    if (job.isQuery) throw new ServiceError('job_not_found', `Job ${jid} does not exist`)
    return job
  }

  return {
    async create(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const request = await readDocument(c, 'job')
      const { jid, name, warnings } = await jobs.create(namespace, request, c.get('client') ?? undefined)
      c.set('subject', { namespace, id: jid })
      return answerJson(c, { job_id: jid, job_name: name, ...(warnings.length > 0 && { warnings }) })
    },

    list(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const print = ({ jid, state }: { readonly jid: string; readonly state: string }) =>
        JSON.stringify({ id: jid, status: state })
      return answerList(c, 'jobs', jobs.list(namespace), print, options)
    },

    get(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const job = jobOf(namespace, c.req.param('job') ?? '')
      return answerJson(c, jobDetail(job, options.nowMs()))
    },

    async cancel(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      await jobs.cancel(namespace, jobOf(namespace, c.req.param('job') ?? '').jid)
      return answerJson(c, {})
    },

    async validate(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const given = await readDocument(c, 'jobToValidate')
      const found =
        'problem' in given
          ? { message: given.problem, place: undefined }
          : await problemFound(() => jobs.validate(namespace, given.request, c.get('client') ?? undefined))
      if (found === undefined) return answerJson(c, {})
      return answerJson(c, {
        job_validate_error: { message: found.message, position: positionOf(found.place) },
      })
    },
  }
}
