/** Jobs: create, list, get, cancel, validate; get and cancel also as Flink's own API has them. */
import { jobDetail } from '../../jobs/job-detail.ts'
import type { JobService } from '../../jobs/job-service.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import { answerJson } from '../messages/answers.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { AIVEN_DOCUMENTS } from './documents.ts'
import { answerList } from './object-answer.ts'
import { serviceOf } from './service-names.ts'
import { positionOf, problemFound } from './validate-answer.ts'

export function jobRoutes(jobs: JobService, namespaces: Namespaces, options: AppOptions) {
  const readDocument = documentReader(AIVEN_DOCUMENTS, options)

  async function cancelNamed(c: HttpContext): Promise<void> {
    const { namespace } = serviceOf(c, namespaces)
    await jobs.cancel(namespace, c.req.param('job') ?? '')
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
      const job = jobs.get(namespace, c.req.param('job') ?? '')
      return answerJson(c, jobDetail(job, options.nowMs()))
    },

    async cancel(c: HttpContext) {
      await cancelNamed(c)
      return answerJson(c, {})
    },

    /** The same, with the status of Flink's API. */
    async patch(c: HttpContext) {
      await cancelNamed(c)
      return c.body('{}', 202, { 'Content-Type': 'application/json' })
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
