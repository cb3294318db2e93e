/** The two descriptions of the API: whole, and with examples that their own schemas and the service take. */
import { expect, test } from 'vitest'
import { platformDescription, resourceDescription } from '../../../src/http/ververica/description/openapi.ts'
import { find, type JsonObject, mismatches } from '../../support/described.ts'

interface Media {
  readonly schema: JsonObject
  readonly example?: JsonObject
}

interface DescribedOperation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, Media>> }>>
}

const DESCRIPTIONS = [
  { path: '/api/swagger.json', description: resourceDescription('1.2.3') },
  { path: '/swagger.json', description: platformDescription('1.2.3') },
]
const VERBS = ['get', 'post', 'put', 'patch', 'delete']

function operationsOf(description: JsonObject): (readonly [string, DescribedOperation])[] {
  return Object.entries(
    description.paths as unknown as Record<string, Record<string, DescribedOperation>>,
  ).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([verb]) => VERBS.includes(verb))
      .map(([verb, operation]) => [`${verb.toUpperCase()} ${path}`, operation] as const),
  )
}

test.each(DESCRIPTIONS)('$path is OpenAPI 3.0.3 of this service', ({ description }) => {
  expect(description).toMatchObject({
    openapi: '3.0.3',
    info: { title: expect.stringMatching(/^Millrace /), version: '1.2.3' },
  })
})

test.each(DESCRIPTIONS)(
  'every operation of $path has an id, a summary, a tag and a good answer',
  ({ description }) => {
    const all = operationsOf(description)
    const ids = all.map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    const tags = (description.tags as unknown as { name: string }[]).map(({ name }) => name)
    expect(tags.filter((tag) => !all.some(([, one]) => one.tags.includes(tag)))).toEqual([])
    for (const [name, { operationId, summary, tags: used, responses }] of all) {
      expect(operationId, name).toMatch(/^[a-z][A-Za-z]+$/)
      expect(summary, name).toMatch(/^[A-Z].{5,}[^.]$/)
      expect(tags, name).toEqual(expect.arrayContaining([...used]))
      expect(
        Object.keys(responses).filter((status) => status.startsWith('2')),
        name,
      ).toHaveLength(1)
    }
  },
)

test.each(DESCRIPTIONS)(
  'every reference of $path leads somewhere, and every schema is used',
  ({ description }) => {
    const references = new Set(
      [...JSON.stringify(description).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference!),
    )
    for (const reference of references) expect(find(description, reference)).toBeTypeOf('object')
    const { schemas } = description.components as unknown as { schemas: JsonObject }
    expect([...references].sort()).toEqual(
      Object.keys(schemas)
        .map((name) => `#/components/schemas/${name}`)
        .sort(),
    )
  },
)

test.each(DESCRIPTIONS)('every example of $path is what its schema says', ({ description }) => {
  const wrong: string[] = []
  for (const [name, { requestBody, responses }] of operationsOf(description)) {
    const good = Object.entries(responses).find(([status]) => status.startsWith('2'))![1]
    for (const content of [requestBody?.content ?? {}, good.content]) {
      for (const [type, { schema, example }] of Object.entries(content)) {
        if (example === undefined) wrong.push(`${name} has no example as ${type}`)
        else wrong.push(...mismatches(description, schema, example).map((one) => `${name} ${type}: ${one}`))
      }
    }
  }
  expect(wrong).toEqual([])
})
