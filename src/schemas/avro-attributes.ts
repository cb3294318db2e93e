/**
 * The members of a schema that only Avro uses: namespaces, aliases, defaults, logical types. They are not rejected
 * here, because other formats ignore them. If Avro cannot use a member, that is recorded as a flaw.
 */
import type { LogicalAttribute } from './logical-type.ts'
import type { AvroNaming } from './schema.ts'

type Members = ReadonlyMap<string, unknown>

const WHOLE_MAX = 2 ** 31 - 1

export function avroNaming(members: Members): AvroNaming {
  const namespace = members.get('namespace')
  return {
    ...(typeof namespace === 'string' && { namespace }),
    ...aliasesOf(members),
  }
}

/** The aliases of a named type or a field. */
export function aliasesOf(members: Members): { aliases?: readonly string[]; flaw?: string } {
  const aliases: unknown = members.get('aliases') ?? []
  if (!isTextList(aliases)) return { flaw: 'has aliases that are no list of texts; write ["old_name"]' }
  return aliases.length === 0 ? {} : { aliases: [...new Set(aliases)] }
}

export function enumDefault(
  members: Members,
  symbols: readonly string[],
): { default?: string; flaw?: string } {
  const symbol = members.get('default')
  if (symbol === undefined) return {}
  if (typeof symbol === 'string' && symbols.includes(symbol)) return { default: symbol }
  return { flaw: `has the default ${clipped(jsonText(symbol))}; use one of its symbols` }
}

export function fieldDefault(members: Members): { default?: string } {
  return members.has('default') ? { default: jsonText(members.get('default')) } : {}
}

export function logicalAttribute(members: Members): { logical?: LogicalAttribute } {
  const name = members.get('logicalType')
  if (typeof name !== 'string') return {}
  const precision = wholeNumber(members.get('precision'))
  const scale = wholeNumber(members.get('scale'))
  return {
    logical: {
      name,
      ...(precision !== undefined && { precision }),
      ...(scale !== undefined && { scale }),
    },
  }
}

/** A whole number from 0 to 2^31-1; undefined for any other value. Numbers may be objects that keep their text. */
export function wholeNumber(json: unknown): number | undefined {
  const text = numberText(json)
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined
  return Number(text) <= WHOLE_MAX ? Number(text) : undefined
}

/** Minified JSON. Numbers keep their text if the parser kept it; objects may be Maps or plain objects. */
export function jsonText(json: unknown): string {
  const number = numberText(json)
  if (number !== undefined) return number
  if (Array.isArray(json)) return `[${json.map(jsonText).join(',')}]`
  if (typeof json !== 'object' || json === null) return JSON.stringify(json)
  const members = json instanceof Map ? [...(json as Members)] : Object.entries(json)
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${jsonText(value)}`).join(',')}}`
}

export const CLIPPED_CHARS_MAX = 60

export function clipped(text: string): string {
  return text.length > CLIPPED_CHARS_MAX ? `${text.slice(0, CLIPPED_CHARS_MAX)}…` : text
}

function isTextList(json: unknown): json is readonly string[] {
  return Array.isArray(json) && json.every((item) => typeof item === 'string')
}

/** A parser that keeps the text of a number has a class for it. JSON.parse returns plain objects and numbers. */
function numberText(json: unknown): string | undefined {
  if (typeof json === 'number') return JSON.stringify(json)
  if (typeof json !== 'object' || json === null || json instanceof Map) return undefined
  if (Object.getPrototypeOf(json) === Object.prototype || !('text' in json)) return undefined
  return String(json.text)
}
