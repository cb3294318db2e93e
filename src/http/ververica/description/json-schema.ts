/**
 * A schema of a request body as OpenAPI 3.0 prints it. One schema has four forms: the body of a POST, in which null counts as absent; that
 * of a PATCH, in which null removes a member; an answer, which always has the members with a default; and an answer with a part of them.
 */
import type { Json, JsonObject } from '../../../deployments/resources.ts'
import type { Schema } from '../../../deployments/schema.ts'
import { defaultsOf } from '../../../deployments/schema-check.ts'

export type Form = 'create' | 'patch' | 'answer' | 'part'

type Of<Kind extends Schema['kind']> = Extract<Schema, { readonly kind: Kind }>

export function jsonSchema(schema: Schema, form: Form): JsonObject {
  const { about, example } = schema
  return {
    ...typeOf(schema, form),
    ...(about !== undefined && { description: about }),
    ...(schema.default !== undefined && form === 'create' && { default: schema.default }),
    ...(example !== undefined && { example }),
  }
}

function typeOf(schema: Schema, form: Form): JsonObject {
  switch (schema.kind) {
    case 'object':
      return objectType(schema, form)
    case 'map':
      return { type: 'object', additionalProperties: memberSchema(schema.values, form) }
    case 'list':
      return { type: 'array', items: jsonSchema(schema.items, form) }
    case 'text':
      return textType(schema, form)
    case 'choice':
      return { type: 'string', enum: schema.of }
    case 'integer':
    case 'number':
      return {
        type: schema.kind,
        ...(schema.min !== undefined && { minimum: schema.min }),
        ...(schema.max !== undefined && { maximum: schema.max }),
      }
    case 'boolean':
      return { type: 'boolean' }
    case 'any':
      return {}
  }
}

function objectType(schema: Of<'object'>, form: Form): JsonObject {
  return schema.isChoice && form !== 'patch' ? choiceType(schema, form) : membersType(schema, form)
}

/** Exactly one of the members; null counts as absent. */
function choiceType({ members, ...schema }: Of<'object'>, form: Form): JsonObject {
  const absent: Schema = { kind: 'choice', of: [] }
  const oneOf = Object.keys(members).map((given) => {
    const others = Object.keys(members).filter((name) => name !== given && !isAnswer(form))
    const alternatives = {
      [given]: { ...members[given]!, isRequired: true },
      ...Object.fromEntries(others.map((name) => [name, absent])),
    }
    return membersType({ ...schema, members: alternatives }, form)
  })
  return { oneOf }
}

function membersType({ members, others }: Of<'object'>, form: Form): JsonObject {
  const shown = Object.entries(members).filter(([, { isReadOnly, isWriteOnly }]) =>
    isAnswer(form) ? isWriteOnly !== true : isReadOnly !== true,
  )
  const required = shown.filter(([, member]) => isRequired(member, form)).map(([name]) => name)
  return {
    type: 'object',
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(shown.map(([name, member]) => [name, memberSchema(member, form)])),
    ...(others === 'refused' && { additionalProperties: false }),
  }
}

function isAnswer(form: Form): boolean {
  return form === 'answer' || form === 'part'
}

function isRequired(member: Schema, form: Form): boolean {
  if (form === 'patch' || form === 'part') return false
  return member.isRequired === true || (form === 'answer' && defaultsOf(member) !== undefined)
}

/** Null in a POST counts as absent, and removes a member in a PATCH. */
function memberSchema(member: Schema, form: Form): JsonObject {
  const schema = jsonSchema(member, form)
  if (isAnswer(form) || isRequired(member, form) || member.kind === 'any') return schema
  const { anyOf, enum: choices } = schema as {
    readonly anyOf?: readonly JsonObject[]
    readonly enum?: readonly Json[]
  }
  // `nullable` has an effect only beside a type.
  if (anyOf !== undefined) return { ...schema, anyOf: anyOf.map((one) => ({ ...one, nullable: true })) }
  return { ...schema, ...(choices !== undefined && { enum: [...choices, null] }), nullable: true }
}

function textType(
  { charactersMin, charactersMax, pattern, takesScalars, format }: Of<'text'>,
  form: Form,
): JsonObject {
  const text: JsonObject = {
    type: 'string',
    ...(charactersMin !== undefined && { minLength: charactersMin }),
    ...(charactersMax !== undefined && { maxLength: charactersMax }),
    ...(pattern !== undefined && { pattern: patternText(pattern) }),
    ...(format !== undefined && { format }),
  }
  if (takesScalars !== true || isAnswer(form)) return text
  return { anyOf: [text, { type: 'number' }, { type: 'boolean' }] }
}

/** JSON Schema has no flags: a letter in any case is written as both. */
function patternText({ source, flags }: RegExp): string {
  if (!flags.includes('i')) return source
  let inClass = false
  return source.replace(/\\.|\[|\]|[a-z]/gi, (part) => {
    if (part === '[' || part === ']') inClass = part === '['
    if (!/^[a-z]$/i.test(part)) return part
    const both = part.toLowerCase() + part.toUpperCase()
    return inClass ? both : `[${both}]`
  })
}
