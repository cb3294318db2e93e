/** API tokens of a namespace, where tokens are required. */
import { type AttributeError, DeploymentError, ValidationError } from '../../deployments/deployment-error.ts'
import { type ApiToken, ApiTokens } from '../../deployments/platform/api-tokens.ts'
import type { PlatformRole } from '../../deployments/platform/namespace-facts.ts'
import type { PlatformNamespaces } from '../../deployments/platform/platform-namespaces.ts'
import { timeText } from '../../deployments/resource-json.ts'
import type { JsonObject } from '../../deployments/resources.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOfService } from '../server/service-names.ts'
import { answer, answerList } from './answers.ts'
import { API_TOKEN_BODY, checked } from './body-schemas.ts'
import { answerForm } from './media-types.ts'
import { bodyReader, existingNamespace } from './request.ts'

export interface TokenParts {
  readonly namespaces: Namespaces
  readonly platformNamespaces: PlatformNamespaces
  readonly apiTokens?: ApiTokens | undefined
}

interface TokenBody {
  readonly name: string
  readonly role: PlatformRole
}

export function tokenRoutes({ namespaces, platformNamespaces, apiTokens }: TokenParts, options: AppOptions) {
  const readBody = bodyReader(options)

  function tokensNow(): ApiTokens {
    if (apiTokens !== undefined) return apiTokens
    throw new DeploymentError('NotImplemented', 'tokens need --auth FILE')
  }

  function tokenJson(namespace: NamespaceName, { name, role, createdMs }: ApiToken): JsonObject {
    return {
      name: `namespaces/${platformNamespaces.shownName(namespace)}/apitokens/${name}`,
      role,
      ...(createdMs !== undefined && { createTime: timeText(createdMs) }),
    }
  }

  return {
    async list(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const tokens = await tokensNow().list(namespace)
      const list = { opening: {}, name: 'apiTokens' }
      return answerList(c, form, list, tokens, (token) => tokenJson(namespace, token), options)
    },

    async create(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const tokens = tokensNow()
      const { name: given, role } = checked<TokenBody>(API_TOKEN_BODY, await readBody(c))
      const name = nameIn(namespace, given)
      c.set('subject', { namespace, id: name })
      const { secret, ...token } = await tokens.create(namespace, name, role)
      return answer(c, form, { apiToken: { ...tokenJson(namespace, token), secret } }, 201)
    },

    async get(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const token = await tokensNow().get(namespace, c.req.param('name') ?? '')
      return answer(c, form, { apiToken: tokenJson(namespace, token) })
    },

    async delete(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      await tokensNow().delete(namespace, c.req.param('name') ?? '')
      return answer(c, form, {})
    },
  }
}

/** The last part of a name that may have its namespace before it. Throws ValidationError. */
function nameIn(namespace: NamespaceName, given: string): string {
  const parts = given.split('/')
  const name = parts.at(-1)!
  const errors: AttributeError[] = []
  if (parts.length > 1 && namespaceOfService(parts[1]!) !== namespace)
    errors.push({ attribute: 'name', message: 'must have the namespace of the path' })
  const charactersMax = ApiTokens.nameCharactersMax(namespace)
  if (name.length > charactersMax)
    errors.push({
      attribute: 'name',
      message: `must have at most ${charactersMax} characters in namespace ${namespace}`,
    })
  if (errors.length > 0) throw new ValidationError(errors)
  return name
}
