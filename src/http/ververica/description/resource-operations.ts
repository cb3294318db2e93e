/** The operations of `/api/swagger.json`: deployments and what belongs to them. */

import {
  defaultsSchema,
  deploymentSchema,
  savepointSchema,
  secretSchema,
  TARGET_NAME,
  targetSchema,
} from '../../../deployments/resource-schemas.ts'
import type { JsonObject } from '../../../deployments/resources.ts'
import type { Schema } from '../../../deployments/schema.ts'
import { answerSchemas, type ResourceKind } from './answer-schemas.ts'
import type { Answer, Body, Operation, Tag } from './operation.ts'
import * as examples from './resource-examples.ts'
import { TEXT } from './schema-words.ts'

export const RESOURCE_TAGS: readonly Tag[] = [
  { name: 'Deployments', description: 'The wanted state of one long-running SQL script.' },
  { name: 'Deployment targets', description: 'Where jobs run.' },
  { name: 'Deployment defaults', description: 'What the spec of a new deployment need not have.' },
  { name: 'Jobs', description: 'The runs of deployments.' },
  { name: 'Savepoints', description: 'The state of jobs, kept to start others from it.' },
  { name: 'Events', description: 'What the service did for a deployment, one sentence each.' },
  { name: 'Secret values', description: 'Secrets that are named in configuration and in table options.' },
]

type ObjectSchema = Extract<Schema, { readonly kind: 'object' }>
const objectOf = (schema: Schema | undefined) => schema as ObjectSchema
const specOf = ({ members }: ObjectSchema) => objectOf(members.spec)

const templateOf = (deployment: ObjectSchema) => objectOf(specOf(deployment).members.template).members.spec!

export const RESOURCE_SCHEMAS: Readonly<Record<ResourceKind, Schema>> = answerSchemas({
  deployment: specOf(deploymentSchema),
  defaults: specOf(defaultsSchema),
  target: specOf(targetSchema),
  template: templateOf(deploymentSchema),
  secret: specOf(secretSchema),
})

/** A target is named by id or name; without one, it is that of the defaults. */
function withTargetName(resource: ObjectSchema): ObjectSchema {
  const spec = specOf(resource)
  const { deploymentTargetId, ...others } = spec.members
  const target = {
    deploymentTargetId: { ...deploymentTargetId!, isRequired: false },
    [TARGET_NAME]: { kind: 'text', about: 'In place of deploymentTargetId.' },
  } satisfies Record<string, Schema>
  return {
    ...resource,
    members: { ...resource.members, spec: { ...spec, members: { ...target, ...others } } },
  }
}

const N = '/api/v1/namespaces/{namespace}'

type Links = NonNullable<Answer['links']>

const create = (schema: ObjectSchema, example: JsonObject): Body => {
  return { schema: withoutMetadata(schema, ['namespace']), form: 'create', example }
}
const patch = (schema: ObjectSchema, example: JsonObject): Body => {
  const {
    kind: _kind,
    apiVersion: _version,
    ...members
  } = withoutMetadata(schema, ['name', 'namespace']).members
  return { schema: { ...schema, others: 'ignored', members }, form: 'patch', example }
}

/** What the path says already, and a name that never changes, need not be in the body, and may not differ. */
function withoutMetadata(resource: ObjectSchema, names: readonly string[]): ObjectSchema {
  const metadata = objectOf(resource.members.metadata)
  const members = Object.fromEntries(
    Object.entries(metadata.members).filter(([name]) => !names.includes(name)),
  )
  return { ...resource, members: { ...resource.members, metadata: { ...metadata, members } } }
}

const one = (kind: ResourceKind, example: JsonObject, about: string): Answer => {
  return { status: 200, schema: { name: kind }, about, example }
}
const created = (kind: ResourceKind, example: JsonObject, links: Links): Answer => {
  return { ...one(kind, example, 'What was created.'), status: 201, links }
}
const listed = (kind: ResourceKind, item: JsonObject): Answer => {
  const example = { kind: `${kind}List`, apiVersion: 'v1', metadata: {}, items: [item] }
  return { status: 200, schema: { name: `${kind}List` }, about: 'The oldest first.', example }
}

const ID = '/metadata/id'
const NAME = '/metadata/name'
const OF_NEW_DEPLOYMENT = {
  ...{ getDeployment: ['deployment', ID], patchDeployment: ['deployment', ID] },
  ...{ deleteDeployment: ['deployment', ID], listJobs: ['deploymentId', ID] },
  ...{ listEvents: ['deploymentId', ID], listSavepoints: ['deploymentId', ID] },
} satisfies Links

const LABEL_SELECTOR: Schema = {
  ...{ kind: 'text', example: 'team in (a,b)' },
  about: 'Conditions on labels, separated by commas: a=b, a!=b, a, !a, a in (x,y), a notin (x,y).',
}
/** Of an unknown one the list is empty. */
const OF_DEPLOYMENT = { deploymentId: TEXT }
const OF_JOB = { deploymentId: TEXT, jobId: TEXT }

const deployments: readonly Operation[] = [
  {
    ...{ method: 'GET', path: `${N}/deployments`, id: 'listDeployments', tag: 'Deployments' },
    ...{ summary: 'List deployments', query: { labelSelector: LABEL_SELECTOR }, refusals: [400] },
    answer: listed('Deployment', examples.DEPLOYMENT),
  },
  {
    ...{ method: 'POST', path: `${N}/deployments`, id: 'createDeployment', tag: 'Deployments' },
    ...{ summary: 'Create a deployment', refusals: [409, 501] },
    body: create(withTargetName(deploymentSchema), examples.NEW_DEPLOYMENT),
    answer: created('Deployment', examples.DEPLOYMENT, OF_NEW_DEPLOYMENT),
  },
  {
    ...{ method: 'GET', path: `${N}/deployments/{deployment}`, id: 'getDeployment', tag: 'Deployments' },
    ...{ summary: 'Get a deployment, by its id or by a name that no other has', refusals: [409] },
    answer: one('Deployment', examples.DEPLOYMENT, 'The deployment.'),
  },
  {
    ...{ method: 'PATCH', path: `${N}/deployments/{deployment}`, id: 'patchDeployment', tag: 'Deployments' },
    ...{ summary: 'Change a deployment by a merge patch', refusals: [409, 501] },
    body: patch(withTargetName(deploymentSchema), examples.DEPLOYMENT_PATCH),
    answer: one('Deployment', examples.DEPLOYMENT, 'The deployment as changed.'),
  },
  {
    ...{
      method: 'DELETE',
      path: `${N}/deployments/{deployment}`,
      id: 'deleteDeployment',
      tag: 'Deployments',
    },
    ...{ summary: 'Delete a deployment that is not running', refusals: [409] },
    answer: one('Deployment', examples.DEPLOYMENT, 'What was deleted.'),
  },
]

const TARGETS = { tag: 'Deployment targets' }
const targets: readonly Operation[] = [
  {
    ...{ method: 'GET', path: `${N}/deployment-targets`, id: 'listDeploymentTargets', ...TARGETS },
    ...{ summary: 'List deployment targets', answer: listed('DeploymentTarget', examples.TARGET) },
  },
  {
    ...{ method: 'POST', path: `${N}/deployment-targets`, id: 'createDeploymentTarget', ...TARGETS },
    ...{ summary: 'Create a deployment target', refusals: [409] },
    body: create(targetSchema, examples.NEW_TARGET),
    answer: created('DeploymentTarget', examples.TARGET, {
      getDeploymentTarget: ['target', NAME],
      deleteDeploymentTarget: ['target', NAME],
    }),
  },
  {
    ...{ method: 'GET', path: `${N}/deployment-targets/{target}`, id: 'getDeploymentTarget', ...TARGETS },
    summary: 'Get a deployment target',
    answer: one('DeploymentTarget', examples.TARGET, 'The deployment target.'),
  },
  {
    ...{
      method: 'DELETE',
      path: `${N}/deployment-targets/{target}`,
      id: 'deleteDeploymentTarget',
      ...TARGETS,
    },
    ...{ summary: 'Delete a deployment target that no deployment uses', refusals: [409] },
    answer: one('DeploymentTarget', examples.TARGET, 'What was deleted.'),
  },
]

const DEFAULTS = { path: `${N}/deployment-defaults`, tag: 'Deployment defaults' }
const defaults: readonly Operation[] = [
  {
    ...{ method: 'GET', id: 'getDeploymentDefaults', summary: 'Get the deployment defaults', ...DEFAULTS },
    answer: one('DeploymentDefaults', examples.DEFAULTS, 'The defaults of the namespace.'),
  },
  {
    ...{ method: 'PATCH', id: 'patchDeploymentDefaults', ...DEFAULTS },
    summary: 'Change the deployment defaults by a merge patch',
    body: patch(withTargetName(defaultsSchema), examples.DEFAULTS_PATCH),
    answer: one('DeploymentDefaults', examples.DEFAULTS, 'The defaults as changed.'),
  },
  {
    ...{ method: 'GET', path: '/api/v1/global-deployment-defaults', id: 'getGlobalDeploymentDefaults' },
    ...{ tag: 'Deployment defaults', summary: 'Get the deployment defaults of all namespaces' },
    answer: one('GlobalDeploymentDefaults', examples.GLOBAL_DEFAULTS, 'The defaults of all namespaces.'),
  },
]

const observed: readonly Operation[] = [
  {
    ...{ method: 'GET', path: `${N}/jobs`, id: 'listJobs', tag: 'Jobs', summary: 'List jobs' },
    ...{ query: OF_DEPLOYMENT, answer: listed('Job', examples.JOB) },
  },
  {
    ...{ method: 'GET', path: `${N}/jobs/{job}`, id: 'getJob', tag: 'Jobs', summary: 'Get a job' },
    answer: one('Job', examples.JOB, 'The job.'),
  },
  {
    ...{ method: 'GET', path: `${N}/events`, id: 'listEvents', tag: 'Events', summary: 'List events' },
    ...{ query: OF_JOB, answer: listed('Event', examples.EVENT) },
  },
]

const savepoints: readonly Operation[] = [
  {
    ...{ method: 'GET', path: `${N}/savepoints`, id: 'listSavepoints', tag: 'Savepoints' },
    ...{ summary: 'List savepoints', query: OF_JOB, answer: listed('Savepoint', examples.SAVEPOINT) },
  },
  {
    ...{ method: 'POST', path: `${N}/savepoints`, id: 'createSavepoint', tag: 'Savepoints' },
    ...{ summary: 'Take a savepoint, or name one that is there', refusals: [409, 501] },
    body: create(savepointSchema, examples.NEW_SAVEPOINT),
    answer: created('Savepoint', examples.SAVEPOINT, {
      getSavepoint: ['savepoint', ID],
      deleteSavepoint: ['savepoint', ID],
    }),
  },
  {
    ...{ method: 'GET', path: `${N}/savepoints/{savepoint}`, id: 'getSavepoint', tag: 'Savepoints' },
    ...{ summary: 'Get a savepoint', answer: one('Savepoint', examples.SAVEPOINT, 'The savepoint.') },
  },
  {
    ...{ method: 'DELETE', path: `${N}/savepoints/{savepoint}`, id: 'deleteSavepoint', tag: 'Savepoints' },
    ...{ summary: 'Delete a savepoint that is not the only state of a deployment', refusals: [409] },
    answer: one('Savepoint', examples.SAVEPOINT, 'What was deleted.'),
  },
]

const SECRET = { path: `${N}/secret-values/{secret}`, tag: 'Secret values' }
const secrets: readonly Operation[] = [
  {
    ...{ method: 'GET', path: `${N}/secret-values`, id: 'listSecretValues', tag: 'Secret values' },
    ...{ summary: 'List secret values', answer: listed('SecretValue', examples.SECRET) },
  },
  {
    ...{ method: 'POST', path: `${N}/secret-values`, id: 'createSecretValue', tag: 'Secret values' },
    ...{ summary: 'Create a secret value', refusals: [409] },
    body: create(secretSchema, examples.NEW_SECRET),
    answer: created('SecretValue', examples.SECRET, {
      getSecretValue: ['secret', NAME],
      patchSecretValue: ['secret', NAME],
      deleteSecretValue: ['secret', NAME],
    }),
  },
  {
    ...{ method: 'GET', id: 'getSecretValue', summary: 'Get a secret value, without the secret', ...SECRET },
    answer: one('SecretValue', examples.SECRET, 'The secret value, without the secret.'),
  },
  {
    ...{ method: 'PATCH', id: 'patchSecretValue', summary: 'Replace a secret by another', ...SECRET },
    body: patch(secretSchema, examples.SECRET_PATCH),
    answer: one('SecretValue', examples.SECRET, 'The secret value as changed, without the secret.'),
  },
  {
    ...{ method: 'DELETE', id: 'deleteSecretValue', summary: 'Delete a secret value', ...SECRET },
    answer: one('SecretValue', examples.SECRET, 'What was deleted.'),
  },
]

export const RESOURCE_OPERATIONS: readonly Operation[] = [
  ...deployments,
  ...targets,
  ...defaults,
  ...observed,
  ...savepoints,
  ...secrets,
]
