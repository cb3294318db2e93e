/** The bodies of SQL scripts, namespaces and API tokens. They check requests, and are printed in the API's description. */
import { type AttributeError, ValidationError } from '../../deployments/deployment-error.ts'
import { ROLES } from '../../deployments/platform/namespace-facts.ts'
import type { JsonObject } from '../../deployments/resources.ts'
import type { Schema } from '../../deployments/schema.ts'
import { check } from '../../deployments/schema-check.ts'

const MEMBERS_MAX = 1_000
const BINDINGS_MAX = 100
const MEMBER_CHARACTERS_MAX = 256

function closed(members: Readonly<Record<string, Schema>>): Schema {
  return { kind: 'object', members, others: 'refused' }
}

export const STATEMENT_BODY = closed({
  statement: { kind: 'text', isRequired: true, about: 'SQL.', example: 'SHOW TABLES' },
})

export const SUGGEST_BODY = closed({
  sqlScript: { kind: 'text', isRequired: true, about: 'SQL, as far as it is written.', example: 'SHOW TA' },
  position: {
    ...{ kind: 'integer', min: 0, example: 7 },
    about: 'Characters before the place at which a word is wanted. Default: the end of the script.',
  },
})

const roleBinding = closed({
  members: {
    kind: 'list',
    items: { kind: 'text', charactersMin: 1, charactersMax: MEMBER_CHARACTERS_MAX },
    about: `At most ${MEMBERS_MAX}.`,
    example: ['system:authenticated'],
  },
  role: { kind: 'choice', of: ROLES, isRequired: true, example: 'owner' },
})

const namespaceFacts = {
  createTime: {
    kind: 'text',
    format: 'date-time',
    isReadOnly: true,
    about: 'Absent if it was not recorded.',
  },
  lifecyclePhase: {
    ...{ kind: 'choice', of: ['LIFECYCLE_PHASE_ACTIVE', 'LIFECYCLE_PHASE_TERMINATING'], isReadOnly: true },
    about: 'Terminating in the answer to DELETE, else active.',
  },
  roleBindings: {
    ...{ kind: 'list', items: roleBinding },
    about: `At most ${BINDINGS_MAX}. Kept and shown; what a client may do is decided by its token.`,
  },
} as const satisfies Record<string, Schema>

export const NEW_NAMESPACE_BODY = closed({
  name: {
    ...{ kind: 'text', isRequired: true, charactersMin: 1, example: 'namespaces/my-namespace' },
    pattern: /^(?:namespaces\/)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    wanted:
      'must be 1 to 63 of the characters a-z, 0-9 and -, without a - at its ends; namespaces/ may precede it',
    about: 'With or without `namespaces/`.',
  },
  ...namespaceFacts,
})

export const NAMESPACE_BODY = closed({
  name: { kind: 'text', about: 'That of the path.', example: 'namespaces/my-namespace' },
  ...namespaceFacts,
})

export const API_TOKEN_BODY = closed({
  name: {
    ...{ kind: 'text', isRequired: true, charactersMin: 1, example: 'namespaces/default/apitokens/ci-token' },
    pattern: /^(?:namespaces\/[^/]+\/apitokens\/)?[a-zA-Z0-9_-]+$/,
    wanted:
      'must have only the characters a-z, A-Z, 0-9, _ and -; namespaces/<namespace>/apitokens/ may precede it',
    about: 'With or without `namespaces/<namespace>/apitokens/`.',
  },
  role: { kind: 'choice', of: ROLES, isRequired: true, example: 'editor' },
  createTime: { kind: 'text', format: 'date-time', isReadOnly: true, about: 'When it was created.' },
  secret: { kind: 'text', isReadOnly: true, about: 'Only in the answer to POST.' },
})

/** The body with its known members. Throws ValidationError. */
export function checked<T>(schema: Schema, body: JsonObject, errors: AttributeError[] = []): T {
  const value = check(schema, body, errors)
  const { roleBindings } = body
  if (Array.isArray(roleBindings)) errors.push(...tooMany(roleBindings))
  if (errors.length > 0) throw new ValidationError(errors)
  return value as T
}

function tooMany(bindings: readonly unknown[]): AttributeError[] {
  if (bindings.length > BINDINGS_MAX)
    return [{ attribute: 'roleBindings', message: `must have at most ${BINDINGS_MAX} items` }]
  return bindings.flatMap((binding, i) => {
    const { members = [] } = (binding ?? {}) as { readonly members?: unknown }
    const isLong = Array.isArray(members) && members.length > MEMBERS_MAX
    const attribute = `roleBindings[${i}].members`
    return isLong ? [{ attribute, message: `must have at most ${MEMBERS_MAX} items` }] : []
  })
}
