/**
 * The two OpenAPI descriptions of this API, made from the schemas by which requests are checked and from one line for each route. Both
 * name JSON and YAML for every body.
 */
import type { JsonObject } from '../../../deployments/resources.ts'
import type { Schema } from '../../../deployments/schema.ts'
import { API_EXCEPTION, API_VALIDATION_EXCEPTION } from './answer-schemas.ts'
import { type Form, jsonSchema } from './json-schema.ts'
import type { Answer, Body, Operation, Tag } from './operation.ts'
import { PLATFORM_OPERATIONS, PLATFORM_TAGS } from './platform-operations.ts'
import { RESOURCE_OPERATIONS, RESOURCE_SCHEMAS, RESOURCE_TAGS } from './resource-operations.ts'
import { constant, list, printed } from './schema-words.ts'

/** `/api/swagger.json` */
export function resourceDescription(version: string): JsonObject {
  const schemas = {
    ...RESOURCE_SCHEMAS,
    ...Object.fromEntries(
      Object.entries(RESOURCE_SCHEMAS).map(([kind, schema]) => [`${kind}List`, listOf(kind, schema)]),
    ),
  }
  const used = new Set(RESOURCE_OPERATIONS.flatMap(({ answer }) => nameOf(answer.schema) ?? []))
  const components = Object.entries(schemas)
    .filter(([name]) => used.has(name))
    .map(([name, schema]) => [name, jsonSchema(schema, formOf(name))] as const)
  return description('Millrace Application Manager', version, RESOURCE_TAGS, RESOURCE_OPERATIONS, components)
}

/** `/swagger.json` */
export function platformDescription(version: string): JsonObject {
  return description('Millrace Platform', version, PLATFORM_TAGS, PLATFORM_OPERATIONS, [])
}

/** Defaults have a part of the members of a spec. */
function formOf(name: string): Form {
  return name.endsWith('DeploymentDefaults') ? 'part' : 'answer'
}

function listOf(kind: string, item: Schema): Schema {
  const members = { metadata: printed({}), items: list(item) }
  return printed({ kind: constant(`${kind}List`), apiVersion: constant('v1'), ...members })
}

function description(
  title: string,
  version: string,
  tags: readonly Tag[],
  operations: readonly Operation[],
  components: readonly (readonly [string, JsonObject])[],
): JsonObject {
  const paths = [...new Set(operations.map(({ path }) => path))].map((path) => [
    path,
    pathItem(
      path,
      operations.filter((one) => one.path === path),
    ),
  ])
  return {
    openapi: '3.0.3',
    info: { title, version, license: { name: 'Apache-2.0' } },
    tags: tags.map(({ name, description: sentence }) => ({ name, description: sentence })),
    security: [{ token: [] }, {}],
    paths: Object.fromEntries(paths) as JsonObject,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Where the service requires tokens.' },
      },
      schemas: {
        ...Object.fromEntries(components),
        ApiException: jsonSchema(API_EXCEPTION, 'answer'),
        ApiValidationException: jsonSchema(API_VALIDATION_EXCEPTION, 'answer'),
      },
    },
  }
}

function pathItem(path: string, operations: readonly Operation[]): JsonObject {
  const parameters = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => ({
    ...{ name: name!, in: 'path', required: true },
    schema: { type: 'string', minLength: 1 },
  }))
  return {
    ...(parameters.length > 0 && { parameters }),
    ...Object.fromEntries(operations.map((one) => [one.method.toLowerCase(), operationJson(one)])),
  }
}

function operationJson({ id, summary, tag, query = {}, ...operation }: Operation): JsonObject {
  const parameters = Object.entries(query).map(([name, schema]) => {
    const { description: sentence, ...type } = jsonSchema(schema, 'answer')
    return { name, in: 'query', ...(sentence !== undefined && { description: sentence }), schema: type }
  })
  const { body, answer } = operation
  return {
    ...{ operationId: id, summary, tags: [tag] },
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: bodyJson(body) }),
    responses: Object.fromEntries([
      [String(answer.status), answerJson(answer)],
      ...refusalsOf(operation).map((status) => [String(status), refusalJson(status)] as const),
    ]),
  }
}

function bodyJson({ schema, form, example }: Body): JsonObject {
  const media = { schema: jsonSchema(schema, form), example }
  return {
    required: true,
    content: {
      'application/json': media,
      'application/yaml': media,
      ...(form === 'patch' && { 'application/merge-patch+json': media }),
    },
  }
}

function answerJson({ schema, about, example, links = {} }: Answer): JsonObject {
  const name = nameOf(schema)
  const type = name === undefined ? jsonSchema(schema as Schema, 'answer') : reference(name)
  const linked = Object.entries(links).map(([operationId, [parameter, pointer]]) => [
    operationId,
    {
      operationId,
      parameters: { namespace: '$request.path.namespace', [parameter]: `$response.body#${pointer}` },
    },
  ])
  return {
    ...{ description: about, content: inBothForms({ schema: type, example }) },
    ...(linked.length > 0 && { links: Object.fromEntries(linked) as JsonObject }),
  }
}

const SENTENCES: Readonly<Record<number, string>> = {
  400: 'The request is wrong.',
  401: 'A token is needed, or it is not known.',
  403: 'The token has no grant for this.',
  404: 'There is no such resource.',
  406: 'The client accepts neither JSON nor YAML.',
  409: 'The state of the resource does not allow this.',
  413: 'The body is too large.',
  415: 'The body is neither JSON nor YAML.',
  500: 'The service has failed.',
  501: 'The service is not set up for this.',
  503: 'The service is not available now.',
}

function refusalsOf({ path, body, refusals = [] }: Pick<Operation, 'path' | 'body' | 'refusals'>) {
  const always = [401, 403, 406, 500, 503]
  const ofPath = path.includes('{') ? [404] : []
  const ofBody = body === undefined ? [] : [400, 413, 415]
  return [...new Set([...always, ...ofPath, ...ofBody, ...refusals])].sort((a, b) => a - b)
}

function refusalJson(status: number): JsonObject {
  const schema =
    status === 400
      ? { oneOf: [reference('ApiException'), reference('ApiValidationException')] }
      : reference('ApiException')
  return { description: SENTENCES[status]!, content: inBothForms({ schema }) }
}

function inBothForms(media: JsonObject): JsonObject {
  return { 'application/json': media, 'application/yaml': media }
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` }
}

function nameOf(schema: Answer['schema']): string | undefined {
  return 'kind' in schema ? undefined : schema.name
}
