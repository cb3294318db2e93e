/**
 * Checks a request body against a schema. All errors are found together; the value has its members in the order of the schema, with
 * defaults for those that are absent, and without those that are ignored. `null` counts as absent.
 */
import type { AttributeError } from './deployment-error.ts'
import { isObject } from './merge-patch.ts'
import type { Json, JsonObject } from './resources.ts'
import type { Schema } from './schema.ts'

/** The kind of a schema. */
type Of<Kind extends Schema['kind']> = Extract<Schema, { readonly kind: Kind }>

/** How a partial body is checked: nothing is required, and there are no defaults. */
export interface CheckOptions {
  readonly isPartial?: boolean
}

/** `path`: of the value in the body; the whole body is `''`. */
export function check(
  schema: Schema,
  value: Json | undefined,
  errors: AttributeError[],
  path = '',
  options: CheckOptions = {},
): Json | undefined {
  return new Check(errors, options).value(schema, value, path)
}

/** The values that a body without members is given. */
export function defaultsOf(schema: Schema): Json | undefined {
  if (schema.kind !== 'object') return schema.default
  const members = Object.entries(schema.members).flatMap(([name, member]): [string, Json][] => {
    const value = member.isReadOnly ? undefined : defaultsOf(member)
    return value === undefined ? [] : [[name, value]]
  })
  return members.length === 0 ? schema.default : Object.fromEntries(members)
}

class Check {
  readonly #errors: AttributeError[]
  readonly #isPartial: boolean

  constructor(errors: AttributeError[], { isPartial = false }: CheckOptions) {
    this.#errors = errors
    this.#isPartial = isPartial
  }

  value(schema: Schema, value: Json | undefined, path: string): Json | undefined {
    if (schema.isReadOnly) return undefined
    if (value === undefined || value === null) return this.#absent(schema, path)
    switch (schema.kind) {
      case 'object':
        return isObject(value) ? this.#object(schema, value, path) : this.#wrong(path, 'must be an object')
      case 'map':
        return isObject(value) ? this.#map(schema, value, path) : this.#wrong(path, 'must be an object')
      case 'list':
        return Array.isArray(value) ? this.#list(schema, value, path) : this.#wrong(path, 'must be a list')
      case 'text':
        return this.#text(schema, value, path)
      case 'choice':
        return schema.of.includes(value as string) ? value : this.#wrong(path, choiceOf(schema))
      case 'integer':
      case 'number':
        return this.#number(schema, value, path)
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#wrong(path, 'must be true or false')
      case 'any':
        return value
    }
  }

  #absent(schema: Schema, path: string): Json | undefined {
    if (this.#isPartial) return undefined
    if (schema.default !== undefined) return schema.default
    // Its errors name the members that are missing. One that may be absent has no required members then.
    if (schema.kind === 'object' && (schema.isRequired || defaultsOf(schema) !== undefined))
      return this.#object(schema, {}, path)
    if (schema.isRequired) return this.#wrong(path, schema.kind === 'text' ? emptyText(schema) : NOT_NULL)
    return undefined
  }

  #object(schema: Of<'object'>, value: JsonObject, path: string): JsonObject {
    const members: [string, Json][] = []
    const add = (name: string, member: Json | undefined) => {
      if (member !== undefined) members.push([name, member])
    }
    for (const [name, member] of Object.entries(schema.members)) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined
      add(name, this.value(member, given, inside(path, name)))
    }
    for (const [name, other] of Object.entries(value)) {
      if (Object.hasOwn(schema.members, name) || other === null) continue
      if (schema.others === 'kept') add(name, other)
      else if (schema.others === 'refused') this.#wrong(inside(path, shown(name)), 'unknown attribute')
    }
    return Object.fromEntries(members)
  }

  #map(schema: Of<'map'>, value: JsonObject, path: string): JsonObject {
    const members = Object.entries(value).flatMap(([name, member]): [string, Json][] => {
      const checked = this.value(schema.values, member, inside(path, shown(name)))
      return checked === undefined ? [] : [[name, checked]]
    })
    return Object.fromEntries(members)
  }

  #list(schema: Of<'list'>, values: readonly Json[], path: string): Json {
    return values.map((value, index) => {
      const place = `${path}[${index}]`
      if (value === null) this.#wrong(place, NOT_NULL)
      return this.value(schema.items, value, place) ?? null
    })
  }

  #text(schema: Of<'text'>, value: Json, path: string): Json | undefined {
    const isScalar = typeof value === 'number' || typeof value === 'boolean'
    const text = isScalar && schema.takesScalars ? String(value) : value
    if (typeof text !== 'string') return this.#wrong(path, 'must be a text')
    const { charactersMin = 0, charactersMax = Number.POSITIVE_INFINITY, pattern, wanted } = schema
    if (text.length < charactersMin) return this.#wrong(path, tooShort(charactersMin))
    if (text.length > charactersMax) return this.#wrong(path, `must have at most ${charactersMax} characters`)
    if (pattern?.test(text) === false) return this.#wrong(path, wanted ?? `must match ${pattern.source}`)
    return text
  }

  #number(schema: Of<'integer' | 'number'>, value: Json, path: string): Json | undefined {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = schema
    if (typeof value !== 'number') return this.#wrong(path, `must be ${NUMBERS[schema.kind]}`)
    if (schema.kind === 'integer' && !Number.isInteger(value))
      return this.#wrong(path, `must be ${NUMBERS.integer}`)
    if (value < min) return this.#wrong(path, `must be greater than or equal to ${min}`)
    if (value > max) return this.#wrong(path, `must be less than or equal to ${max}`)
    return value
  }

  #wrong(attribute: string, message: string): undefined {
    this.#errors.push({ attribute, message })
  }
}

const NOT_NULL = 'must not be null'
const NUMBERS = { integer: 'a whole number', number: 'a number' } as const
const SHOWN_CHARACTERS_MAX = 100

function emptyText({ charactersMin = 0 }: Of<'text'>): string {
  return charactersMin > 0 ? tooShort(charactersMin) : NOT_NULL
}

function tooShort(charactersMin: number): string {
  return charactersMin === 1 ? 'must not be empty' : `must have at least ${charactersMin} characters`
}

function choiceOf({ of }: Of<'choice'>): string {
  return of.length === 1 ? `must be ${of[0]}` : `must be one of ${of.join(', ')}`
}

function inside(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function shown(name: string): string {
  return name.length > SHOWN_CHARACTERS_MAX ? `${name.slice(0, SHOWN_CHARACTERS_MAX)}…` : name
}
