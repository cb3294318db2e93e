/** Jars: list, upload, plan, run, delete. */
import type { JarJobs, JarRun } from '../../jars/jar-jobs.ts'
import type { JarStore } from '../../jars/jar-store.ts'
import { planDetail } from '../../jobs/job-detail.ts'
import type { AppOptions } from '../api.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import type { PublicAddress } from '../server/unauthorized.ts'
import { answer } from './answers.ts'
import { FLINK_DOCUMENTS } from './documents.ts'
import { jarRunOf } from './jar-run-body.ts'
import { storeJar } from './jar-upload.ts'
import type { Scope } from './scope.ts'

export interface JarRouteParts {
  readonly jars: JarStore
  readonly jarJobs: JarJobs
  readonly address: PublicAddress
}

/** The id of a job that is planned and never runs. */
const NO_JOB = '0'.repeat(32)

export function jarRoutes({ jars, jarJobs, address }: JarRouteParts, scope: Scope, options: AppOptions) {
  const readDocument = documentReader(FLINK_DOCUMENTS, options)

  async function runOf(c: HttpContext): Promise<JarRun> {
    const namespace = scope.namespace(c)
    const body = await readDocument(c, 'jarRun')
    const query = {
      get: (name: string) => c.req.query(name) || undefined,
      all: (name: string) => c.req.queries(name),
    }
    return { ...jarRunOf(body, query), namespace }
  }

  const idOf = (c: HttpContext) => c.req.param('jar') ?? ''

  async function plan(c: HttpContext): Promise<Response> {
    const run = await runOf(c)
    const { name, vertices } = await jarJobs.plan(idOf(c), run)
    return answer(c, { plan: planDetail({ jid: run.jid ?? NO_JOB, name, vertices }) })
  }

  return {
    async list(c: HttpContext) {
      scope.assertExists(c)
      const files: object[] = []
      for (const jar of jars.list()) {
        const { entryClasses } = await jars.contents(jar)
        const { id, name, uploadedMs: uploaded } = jar
        files.push({
          id,
          name,
          uploaded,
          entry: entryClasses.map((one) => ({ name: one, description: null })),
        })
      }
      return answer(c, { address: address(c.env.incoming.socket), files })
    },

    async upload(c: HttpContext) {
      scope.assertExists(c)
      const { incoming } = c.env
      const client = clientKey(incoming, c.get('client'))
      const { id } = await options.openAnswers.whileArriving(c, () =>
        storeJar(jars, incoming, client, options),
      )
      c.set('subject', { namespace: undefined, id })
      return answer(c, { filename: `${jars.folder}/${id}`, status: 'success' })
    },

    plan,

    async run(c: HttpContext) {
      const { jid, namespace } = await jarJobs.run(idOf(c), await runOf(c), c.get('client') ?? undefined)
      c.set('subject', { namespace, id: jid })
      return answer(c, { jobid: jid })
    },

    async delete(c: HttpContext) {
      scope.assertExists(c)
      const id = idOf(c)
      await jars.delete(id)
      c.set('subject', { namespace: undefined, id })
      return answer(c, {})
    },
  }
}
