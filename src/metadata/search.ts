/**
 * Searching metadata, as CDAP has it: words separated by spaces, of which one must match, ignoring case.
 *
 *   word:  <text>          a tag, the value of a property or a word in it, a field of the schema
 *          <key>:<text>    the value of this property; of `tags` a tag; of a field of the schema its type
 *   text:  may end in `*`, which matches any rest
 */
import type { MetadataOf } from './metadata.ts'
import { TAGS_KEY } from './metadata.ts'

/** Words of one search. */
export const WORDS_MAX = 32

/** Number of terms of one stream or view that match one of the words. */
export type Weigh = (metadata: readonly MetadataOf[]) => number

/** An empty query finds nothing. */
export function parseSearch(query: string): Weigh {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  const whole = new Set(words.filter((word) => !word.endsWith('*')))
  const begins = words.filter((word) => word.endsWith('*')).map((word) => word.slice(0, -1))
  const isFound = (term: string) => whole.has(term) || begins.some((begin) => term.startsWith(begin))
  const known: KnownSchemas = new Map()
  return (metadata) => {
    const terms = new Set(metadata.flatMap((one) => termsOf(one, known)))
    let weight = 0
    for (const term of terms) if (isFound(term)) weight++
    return weight
  }
}

/** By their text: many streams have the same schema. */
type KnownSchemas = Map<string, string[] | undefined>

/** All terms that a word can match, in lower case. */
function termsOf({ properties, tags }: MetadataOf, known: KnownSchemas): string[] {
  const terms = tags.flatMap((tag) => [tag, `${TAGS_KEY}:${tag}`])
  for (const [key, value] of properties) {
    if (key === 'schema' && !known.has(value)) known.set(value, schemaTerms(value))
    const fields = key === 'schema' ? known.get(value) : undefined
    if (fields !== undefined) {
      terms.push(...fields)
    } else {
      const words = value.split(/[\s,_-]+/).filter((word) => word !== '')
      for (const text of [value, ...words]) terms.push(text, `${key}:${text}`)
    }
  }
  return terms.map((term) => term.toLowerCase())
}

/** Fields of a record, with the words of their types; undefined if a property `schema` of a client is not a schema. */
function schemaTerms(text: string): string[] | undefined {
  try {
    const {
      name,
      type,
      fields = [],
    } = JSON.parse(text) as {
      name?: string
      type?: string
      fields?: { name: string; type: unknown }[]
    }
    const terms = name === undefined ? [] : [name, `${name}:${type}`]
    for (const field of fields) {
      terms.push(field.name)
      for (const word of typeWords(field.type)) terms.push(`${field.name}:${word}`)
    }
    return terms.every((term) => typeof term === 'string') ? terms : undefined
  } catch {
    return undefined
  }
}

function typeWords(type: unknown): string[] {
  if (typeof type === 'string') return [type]
  if (Array.isArray(type)) return ['union', ...type.flatMap(typeWords)]
  return typeWords((type as { type: unknown }).type)
}
