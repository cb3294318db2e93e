/** Tables: create, list, get, delete, validate. */

import { ServiceError } from '../../service-error.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import { integrationNotFound } from '../../tables/integrations.ts'
import type { TableRequest, TableService } from '../../tables/table-service.ts'
import type { AppOptions } from '../api.ts'
import { answerJson, answerJsonText } from '../messages/answers.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { serviceOf } from '../server/service-names.ts'
import { AIVEN_DOCUMENTS } from './documents.ts'
import { answerList } from './object-answer.ts'
import type { GivenTable, TableToValidate } from './table-body.ts'
import { printTable } from './table-json.ts'
import { type Invalid, positionOf, problemFound } from './validate-answer.ts'

export function tableRoutes(tables: TableService, namespaces: Namespaces, options: AppOptions) {
  const readDocument = documentReader(AIVEN_DOCUMENTS, options)

  async function invalid(namespace: NamespaceName, given: TableToValidate): Promise<Invalid | undefined> {
    if ('problem' in given) return { message: given.problem, place: undefined }
    return problemFound(() =>
      ofSchema(async () => {
        const request = requestOf(namespace, given.table)
        await tables.validate(namespace, request)
        if (tables.find(namespace, request.name) === undefined) return
        throw new ServiceError('table_exists', `Table ${request.name} already exists`)
      }),
    )
  }

  /** Throws ServiceError 'invalid_table', or 'integration_not_found', which comes before it. */
  function requestOf(namespace: NamespaceName, { connector, ...rest }: GivenTable): TableRequest {
    if (!('problem' in connector)) return { ...rest, connector }
    const isThere = tables.integrations(namespace).some(({ id }) => id === rest.integrationId)
    if (isThere) throw new ServiceError('invalid_table', connector.problem)
    throw integrationNotFound(rest.integrationId)
  }

  return {
    async create(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const given = await readDocument(c, 'table')
      const table = await ofSchema(async () => tables.create(namespace, requestOf(namespace, given)))
      c.set('subject', { namespace, id: table.id })
      return answerJsonText(c, printTable(table))
    },

    list(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      return answerList(c, 'tables', tables.list(namespace), printTable, options)
    },

    get(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      return answerJsonText(c, printTable(tables.get(namespace, c.req.param('table') ?? '')))
    },

    async delete(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      await tables.delete(namespace, c.req.param('table') ?? '')
      return answerJson(c, {})
    },

    async validate(c: HttpContext) {
      const { namespace } = serviceOf(c, namespaces)
      const given = await readDocument(c, 'tableToValidate')
      const found = await invalid(namespace, given)
      if (found === undefined) return answerJson(c, {})
      const { message, place } = found
      return answerJson(c, {
        table_validate_error: { message, name: given.name, position: positionOf(place) },
      })
    },
  }
}

/** Says which member a problem of SQL is in. */
async function ofSchema<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SqlProblem)) throw error
    throw new SqlProblem(`schema_sql: ${error.reason}`, error.place, { cause: error })
  }
}
