/** Namespaces: list, create, show, change role bindings, delete. */
import { ValidationError } from '../../deployments/deployment-error.ts'
import type { ApiTokens } from '../../deployments/platform/api-tokens.ts'
import type { RoleBinding } from '../../deployments/platform/namespace-facts.ts'
import type { PlatformNamespace, PlatformNamespaces } from '../../deployments/platform/platform-namespaces.ts'
import { timeText } from '../../deployments/resource-json.ts'
import type { Json, JsonObject } from '../../deployments/resources.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOfService } from '../server/service-names.ts'
import { answer, answerList } from './answers.ts'
import { checked, NAMESPACE_BODY, NEW_NAMESPACE_BODY } from './body-schemas.ts'
import { answerForm } from './media-types.ts'
import { bodyReader, existingNamespace } from './request.ts'

export interface NamespaceParts {
  readonly namespaces: Namespaces
  readonly platformNamespaces: PlatformNamespaces
  readonly apiTokens?: ApiTokens | undefined
}

interface NamespaceBody {
  readonly name?: string
  readonly roleBindings?: readonly RoleBinding[]
}

export function namespaceRoutes(
  { namespaces, platformNamespaces, apiTokens }: NamespaceParts,
  options: AppOptions,
) {
  const readBody = bodyReader(options)

  return {
    /** Those in which the client has a grant. */
    list(c: HttpContext) {
      const grants = c.get('client')?.grants
      const print = (one: PlatformNamespace) =>
        grants?.includePartOf(one.namespace) === false ? undefined : namespaceJson(one)
      const list = { opening: {}, name: 'namespaces' }
      return answerList(c, answerForm(c), list, platformNamespaces.list(), print, options)
    },

    async create(c: HttpContext) {
      const form = answerForm(c)
      const { name = '', roleBindings } = checked<NamespaceBody>(NEW_NAMESPACE_BODY, await readBody(c))
      const bare = bareName(name)
      c.set('subject', { namespace: namespaceOfService(bare) })
      const made = await platformNamespaces.create(bare, roleBindings)
      return answer(c, form, { namespace: namespaceJson(made) }, 201)
    },

    get(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      return answer(c, answerForm(c), { namespace: namespaceJson(platformNamespaces.get(namespace)) })
    },

    async put(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const { name, roleBindings = [] } = checked<NamespaceBody>(NAMESPACE_BODY, await readBody(c))
      if (name !== undefined && namespaceOfService(bareName(name)) !== namespace) {
        const message = `must be namespaces/${platformNamespaces.shownName(namespace)}, as in the path`
        throw new ValidationError([{ attribute: 'name', message }])
      }
      const changed = await platformNamespaces.setRoleBindings(namespace, roleBindings)
      return answer(c, form, { namespace: namespaceJson(changed) })
    },

    /** With its API tokens. */
    async delete(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const gone = await platformNamespaces.delete(namespace)
      await apiTokens?.deleteAll(namespace)
      return answer(c, form, { namespace: namespaceJson(gone, 'LIFECYCLE_PHASE_TERMINATING') })
    },
  }
}

function namespaceJson(
  { name, createdMs, roleBindings }: PlatformNamespace,
  lifecyclePhase = 'LIFECYCLE_PHASE_ACTIVE',
): JsonObject {
  return {
    name: `namespaces/${name}`,
    ...(createdMs !== undefined && { createTime: timeText(createdMs) }),
    lifecyclePhase,
    roleBindings: roleBindings as unknown as Json,
  }
}

function bareName(name: string): string {
  return name.replace(/^namespaces\//, '')
}
