/** What the deployments API answers: resources with the metadata and the status that the service gives them, and errors. */
import type { Schema } from '../../../deployments/schema.ts'
import {
  about,
  always,
  COUNT,
  choice,
  constant,
  list,
  printed,
  TEXT,
  TEXTS,
  TIME,
  UUID,
} from './schema-words.ts'

const API_VERSION = constant('v1')

const NAMESPACE = about('The namespace of the path.', TEXT)
const VERSION = about('One more at every change, also of the status.', { kind: 'integer', min: 1 })
const COMMON = {
  ...{ id: UUID, namespace: NAMESPACE },
  ...{ createdAt: TIME, modifiedAt: TIME, labels: TEXTS, annotations: TEXTS, resourceVersion: VERSION },
}
const NAMED = printed({ ...COMMON, name: TEXT })

const FAILURE = printed({ reason: TEXT, message: TEXT, failedAt: TIME })

const CONDITION = printed({
  type: choice(
    ...['ClusterUnreachable', 'JobFailing', 'JobUnstable'],
    ...['SuspensionFailed', 'ParallelismReduced', 'UpgradePending'],
  ),
  ...{ status: constant('True'), reason: TEXT, message: TEXT },
  ...{ lastTransitionTime: TIME, lastUpdateTime: TIME },
})

const DEPLOYMENT_STATUS = printed(
  { state: choice('RUNNING', 'SUSPENDED', 'CANCELLED', 'TRANSITIONING', 'FAILED', 'FINISHED') },
  {
    running: about(
      'Only while the deployment is RUNNING.',
      printed({ jobId: UUID, transitionTime: TIME, conditions: list(CONDITION) }),
    ),
  },
)

const JOB_STATUS = printed(
  {
    state: choice(...['STARTING', 'STANDBY', 'STARTED', 'TERMINATING', 'TERMINATED', 'FAILED', 'FINISHED']),
  },
  {
    started: printed({
      flinkJobId: about('Id of the job in the REST API of Flink.', TEXT),
      ...{ startedAt: TIME, lastUpdateTime: TIME },
      ...{ observedFlinkJobStatus: TEXT, observedFlinkJobRestarts: COUNT },
    }),
    failure: FAILURE,
  },
)

const JOB_METADATA = printed({ ...COMMON, deploymentId: UUID, deploymentName: TEXT }, { terminatedAt: TIME })

const ORIGIN = choice('USER_REQUEST', 'SUSPEND', 'SUSPEND_AND_UPGRADE', 'COPIED', 'RETAINED_CHECKPOINT')
const SAVEPOINT_METADATA = printed({ ...COMMON, deploymentId: UUID, origin: ORIGIN }, { jobId: UUID })
const SAVEPOINT_STATUS = printed({ state: choice('STARTED', 'COMPLETED', 'FAILED') }, { failure: FAILURE })
const SAVEPOINT_SPEC = printed({}, { savepointLocation: TEXT, flinkSavepointId: UUID })

const EVENT_METADATA = printed(
  {
    id: UUID,
    name: TEXT,
    namespace: NAMESPACE,
    deploymentId: UUID,
    createdAt: TIME,
    resourceVersion: VERSION,
  },
  { jobId: UUID },
)

/** The specs as requests have them: those of answers have the members with a default always. */
export interface RequestSpecs {
  readonly deployment: Schema
  readonly defaults: Schema
  readonly target: Schema
  readonly template: Schema
  readonly secret: Schema
}

/** Every resource by its kind. */
export function answerSchemas({ deployment, defaults, target, template, secret }: RequestSpecs) {
  return {
    Deployment: resource('Deployment', { metadata: NAMED, spec: deployment, status: DEPLOYMENT_STATUS }),
    DeploymentTarget: resource('DeploymentTarget', { metadata: NAMED, spec: target }),
    DeploymentDefaults: resource('DeploymentDefaults', { metadata: printed(COMMON), spec: defaults }),
    GlobalDeploymentDefaults: resource('GlobalDeploymentDefaults', { metadata: printed({}), spec: defaults }),
    Job: resource('Job', { metadata: JOB_METADATA, spec: jobSpec(template), status: JOB_STATUS }),
    Savepoint: resource('Savepoint', {
      ...{ metadata: SAVEPOINT_METADATA, spec: SAVEPOINT_SPEC, status: SAVEPOINT_STATUS },
    }),
    Event: resource('Event', { metadata: EVENT_METADATA, spec: printed({ message: TEXT }) }),
    SecretValue: resource('SecretValue', { metadata: NAMED, spec: secret }),
  }
}

export type ResourceKind = keyof ReturnType<typeof answerSchemas>

function resource(kind: string, members: Readonly<Record<string, Schema>>): Schema {
  return printed({ kind: constant(kind), apiVersion: API_VERSION, ...members })
}

function jobSpec(template: Schema): Schema {
  const members = template.kind === 'object' ? template.members : {}
  return {
    kind: 'object',
    others: 'refused',
    members: {
      ...members,
      deploymentTarget: always(printed({ id: UUID, name: TEXT })),
      savepointLocation: TEXT,
      allowNonRestoredState: { kind: 'boolean', isRequired: true },
    },
  }
}

export const API_EXCEPTION = printed(
  {
    ...{ kind: constant('ApiException'), apiVersion: API_VERSION, message: TEXT, reason: TEXT },
    ...{ statusCode: { kind: 'integer' }, context: TEXTS },
  },
  {},
  { about: 'Any refusal but one of members of the body.' },
)

export const API_VALIDATION_EXCEPTION = printed(
  {
    ...{ kind: constant('ApiValidationException'), apiVersion: API_VERSION, message: TEXT },
    statusCode: { kind: 'integer' },
    errors: list(printed({ attribute: TEXT, message: TEXT })),
  },
  {},
  { about: 'All members of a body that are wrong, together.' },
)

export const API_VERSION_SCHEMA = API_VERSION
