/** Checks values against the schemas of an OpenAPI description, as far as ours use them. */
type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly nullable?: boolean
  readonly enum?: readonly Json[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly format?: string
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/,
  uri: /^[a-z][a-z0-9+.-]*:/i,
}

/** What is wrong, one line each, with its place. */
export function mismatches(description: JsonObject, schema: Json, value: Json, place = '$'): string[] {
  const { $ref, ...own } = schema as unknown as JsonSchema
  if ($ref !== undefined) return mismatches(description, find(description, $ref), value, place)
  const choices = own.anyOf ?? own.oneOf
  if (choices !== undefined) {
    const results = choices.map((one) => mismatches(description, one as unknown as Json, value, place))
    return results.some(({ length }) => length === 0) ? [] : results.flat()
  }
  if (value === null) return own.nullable || own.type === undefined ? [] : [`${place} is null`]
  if (own.enum !== undefined && !own.enum.includes(value)) return [`${place} is ${JSON.stringify(value)}`]
  if (own.type !== undefined && !isOfType(own.type, value)) return [`${place} is no ${own.type}`]
  if (typeof value === 'string') return textMismatches(own, value, place)
  if (typeof value === 'number') {
    const isInside = value >= (own.minimum ?? -Infinity) && value <= (own.maximum ?? Infinity)
    return isInside ? [] : [`${place} is ${value}`]
  }
  if (Array.isArray(value))
    return value.flatMap((item, index) =>
      mismatches(description, own.items as unknown as Json, item, `${place}[${index}]`),
    )
  return typeof value === 'object' ? memberMismatches(description, own, value as JsonObject, place) : []
}

/** What `#/components/schemas/X` leads to. Throws if there is nothing. */
export function find(description: JsonObject, reference: string): Json {
  const found = reference
    .slice(2)
    .split('/')
    .reduce<Json | undefined>((at, name) => (at as JsonObject | undefined)?.[name], description)
  if (found === undefined) throw new Error(`${reference} leads nowhere`)
  return found
}

function isOfType(type: string, value: Json): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && !Array.isArray(value)
  return typeof value === type
}

function textMismatches(schema: JsonSchema, value: string, place: string): string[] {
  const { pattern, minLength = 0, maxLength = Infinity, format } = schema
  const isGood =
    value.length >= minLength &&
    value.length <= maxLength &&
    (pattern === undefined || new RegExp(pattern, 'u').test(value)) &&
    (format === undefined || FORMATS[format]!.test(value))
  return isGood ? [] : [`${place} is ${JSON.stringify(value)}`]
}

function memberMismatches(
  description: JsonObject,
  { required = [], properties = {}, additionalProperties = true }: JsonSchema,
  value: JsonObject,
  place: string,
): string[] {
  const missing = required
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${place}.${name} is missing`)
  const members = Object.entries(value).flatMap(([name, member]) => {
    const inner = Object.hasOwn(properties, name) ? properties[name]! : additionalProperties
    if (inner === false) return [`${place}.${name} is not described`]
    return inner === true ? [] : mismatches(description, inner as unknown as Json, member, `${place}.${name}`)
  })
  return [...missing, ...members]
}
