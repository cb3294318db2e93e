/** Services: they are the namespaces, so they are listed and shown, and created elsewhere. */
import { ServiceError } from '../../service-error.ts'
import type { NamedNamespace, Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import { answerJson } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'
import { serviceOf } from '../server/service-names.ts'
import { answerList } from './object-answer.ts'

/** Namespaces have no time of creation. */
const NO_TIME = new Date(0).toISOString()

export function serviceRoutes(namespaces: Namespaces, options: AppOptions) {
  return {
    /** Those in which the client has a grant. */
    list(c: HttpContext) {
      const grants = c.get('client')?.grants
      const print = ({ name }: NamedNamespace) =>
        grants === undefined || grants.includePartOf(name) ? JSON.stringify(serviceNamed(name)) : undefined
      return answerList(c, 'services', namespaces.list(), print, options)
    },

    get(c: HttpContext) {
      return answerJson(c, { service: serviceNamed(serviceOf(c, namespaces).name) })
    },

    create(): never {
      throw new ServiceError(
        'unsupported',
        'services are namespaces here: create one with PUT /v3/namespaces/<name>',
      )
    },
  }
}

function serviceNamed(name: string): object {
  return {
    service_name: name,
    service_type: 'flink',
    state: 'RUNNING',
    plan: 'embedded',
    cloud_name: 'local',
    create_time: NO_TIME,
    update_time: NO_TIME,
    notifications: [],
  }
}
