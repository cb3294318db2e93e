/**
 * Integrations. Paths with an id, and the body that makes one, name no service in the path, so access is checked here: an
 * integration of a namespace in which the client has no grant is answered as one that does not exist.
 */
import type { Client } from '../../auth/tokens.ts'
import { ServiceError } from '../../service-error.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import { integrationNotFound } from '../../tables/integrations.ts'
import type { Integration } from '../../tables/table.ts'
import type { TableService } from '../../tables/table-service.ts'
import type { AppOptions } from '../api.ts'
import { answerJson } from '../messages/answers.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { existingService, namespaceOfService, serviceOf } from '../server/service-names.ts'
import { AIVEN_DOCUMENTS } from './documents.ts'
import { integrationOf } from './integration-json.ts'
import { answerList } from './object-answer.ts'

export function integrationRoutes(tables: TableService, namespaces: Namespaces, options: AppOptions) {
  const readDocument = documentReader(AIVEN_DOCUMENTS, options)
  const shown = (c: HttpContext, integration: Integration) =>
    integrationOf(namedAsAsked(c, integration), tables.contact(integration.id))

  /** Throws ServiceError 'integration_not_found'. */
  function named(c: HttpContext): Integration {
    const id = c.req.param('integration') ?? ''
    const integration = tables.integration(id)
    const { namespace } = integration
    if (c.get('client')?.grants.includePartOf(namespace) === false) throw integrationNotFound(id)
    c.set('subject', { namespace, id })
    return integration
  }

  /** Also throws ServiceError 'no_grant'. */
  function namedToChange(c: HttpContext): Integration {
    const integration = named(c)
    assertJobs(c.get('client'), integration.namespace)
    return integration
  }

  return {
    list(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const print = (integration: Integration) => JSON.stringify(shown(c, integration))
      return answerList(c, 'service_integrations', tables.integrations(namespace), print, options)
    },

    async create(c: HttpContext) {
      const given = await readDocument(c, 'integration')
      const project = c.req.param('project') ?? ''
      c.set('subject', { namespace: namespaceOfService(given.destService) })
      assertJobs(c.get('client'), namespaceOfService(given.destService))
      const { namespace } = existingService(namespaces, given.destService)
      const integration = await tables.createIntegration(namespace, {
        sourceService: given.sourceService,
        sourceProject: given.sourceProject ?? project,
        destService: given.destService,
        destProject: given.destProject ?? project,
        userConfig: given.userConfig,
      })
      c.set('subject', { namespace, id: integration.id })
      return answerJson(c, { service_integration: shown(c, integration) })
    },

    get(c: HttpContext) {
      return answerJson(c, { service_integration: shown(c, named(c)) })
    },

    async update(c: HttpContext) {
      const { id } = namedToChange(c)
      const userConfig = await readDocument(c, 'integrationChange')
      return answerJson(c, { service_integration: shown(c, await tables.updateIntegration(id, userConfig)) })
    },

    async delete(c: HttpContext) {
      await tables.deleteIntegration(namedToChange(c).id)
      return answerJson(c, {})
    },
  }
}

/** The built-in integration belongs to no project: it has the project of the path, and the service as the path writes it. */
function namedAsAsked(c: HttpContext, integration: Integration): Integration {
  if (!integration.isBuiltIn) return integration
  const project = c.req.param('project') ?? ''
  const destService = c.req.param('service') ?? integration.destService
  return { ...integration, sourceProject: project, destProject: project, destService }
}

/** As the guard decides and refuses where the path names the service. */
function assertJobs(client: Client | null | undefined, namespace: string): void {
  if (client && !client.grants.allowJobs(namespace))
    throw new ServiceError('no_grant', `token '${client.name}' has no jobs grant for this namespace`)
}
