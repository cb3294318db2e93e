/** One example of each resource, as requests send it and as answers print it. */
import type { JsonObject } from '../../../deployments/resources.ts'

const NAMESPACE = 'default'
const TIMES = { createdAt: '2019-10-07T11:07:12.667Z', modifiedAt: '2019-10-07T11:07:14.012Z' }
const TARGET_ID = '3e3653eb-22d6-4449-a3d2-8d57d385bc45'
const DEPLOYMENT_ID = '075fb597-1a5d-436b-9e86-cc650f800c71'
const JOB_ID = 'b2e5a8bc-09f9-4d9c-96a5-1a4f1dba1ff1'
const SAVEPOINT_ID = 'f6f9a0a5-4f6f-4d5f-9a2f-0d3c6b8f7f11'
const LOCATION = 'file:///var/lib/millrace/savepoints/savepoint-b2e5a8-1f0c9d3a7b21'

const metadata = (id: string, more: JsonObject = {}): JsonObject => {
  return { id, ...more, namespace: NAMESPACE, ...TIMES, labels: {}, annotations: {}, resourceVersion: 1 }
}
const resource = (kind: string, members: JsonObject): JsonObject => ({ kind, apiVersion: 'v1', ...members })

/** Nothing is started by it. */
export const NEW_DEPLOYMENT: JsonObject = {
  metadata: { name: 'copy', labels: { team: 'a' } },
  spec: {
    state: 'CANCELLED',
    template: {
      spec: {
        artifact: { kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO out1 SELECT * FROM in1' },
        flinkConfiguration: { foo: 1, bar: 'x' },
      },
    },
  },
}
export const DEPLOYMENT_PATCH: JsonObject = {
  spec: { template: { spec: { flinkConfiguration: { foo: null, bar: 'baz' } } } },
}

const TEMPLATE: JsonObject = {
  artifact: { kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO out1 SELECT * FROM in1' },
  ...{ parallelism: 1, numberOfTaskManagers: 1 },
  resources: { jobmanager: { cpu: 1, memory: '1g' }, taskmanager: { cpu: 1, memory: '1g' } },
  flinkConfiguration: { foo: '1', bar: 'x' },
  logging: { loggingProfile: 'default', log4jLoggers: { '': 'INFO' } },
  kubernetes: {},
}

export const DEPLOYMENT = resource('Deployment', {
  metadata: metadata(DEPLOYMENT_ID, { name: 'copy' }),
  spec: {
    ...{ state: 'RUNNING', deploymentTargetId: TARGET_ID },
    upgradeStrategy: { kind: 'STATEFUL' },
    restoreStrategy: { kind: 'LATEST_STATE', allowNonRestoredState: false },
    ...{ maxSavepointCreationAttempts: 4, maxJobCreationAttempts: 4 },
    template: { metadata: { annotations: {} }, spec: TEMPLATE },
  },
  status: {
    state: 'RUNNING',
    running: { jobId: JOB_ID, transitionTime: '2019-10-07T11:07:14.012Z', conditions: [] },
  },
})

export const NEW_TARGET: JsonObject = { metadata: { name: 'cluster' }, spec: { embedded: {} } }
export const TARGET = resource('DeploymentTarget', {
  ...{ metadata: metadata(TARGET_ID, { name: 'cluster' }), spec: { embedded: {} } },
})

export const DEFAULTS_PATCH: JsonObject = { spec: { maxJobCreationAttempts: 2 } }
export const DEFAULTS = resource('DeploymentDefaults', {
  metadata: metadata('2d2e9e3c-2b8c-4f4e-8f43-6c9c7f3c0d3a'),
  spec: { deploymentTargetId: TARGET_ID },
})
export const GLOBAL_DEFAULTS = resource('GlobalDeploymentDefaults', { metadata: {}, spec: {} })

export const JOB = resource('Job', {
  metadata: metadata(JOB_ID, { deploymentId: DEPLOYMENT_ID, deploymentName: 'copy' }),
  spec: {
    ...TEMPLATE,
    deploymentTarget: { id: TARGET_ID, name: 'embedded' },
    allowNonRestoredState: false,
  },
  status: {
    state: 'STARTED',
    started: {
      flinkJobId: 'b63c78c70033e00afa84de9029257e31',
      ...{ startedAt: '2019-10-07T11:07:14.000Z', lastUpdateTime: '2019-10-07T11:07:14.012Z' },
      ...{ observedFlinkJobStatus: 'RUNNING', observedFlinkJobRestarts: 0 },
    },
  },
})

export const NEW_SAVEPOINT: JsonObject = { metadata: { deploymentId: DEPLOYMENT_ID } }
export const SAVEPOINT = resource('Savepoint', {
  metadata: metadata(SAVEPOINT_ID, { deploymentId: DEPLOYMENT_ID, jobId: JOB_ID, origin: 'USER_REQUEST' }),
  spec: { savepointLocation: LOCATION, flinkSavepointId: '9d0f7c59-5a2e-4a56-8c8a-0f5f0c9b3e2d' },
  status: { state: 'COMPLETED' },
})

export const EVENT = resource('Event', {
  metadata: {
    ...{ id: '0c9a1c4e-4f0b-4a8e-9d57-0b9b6c5f2d10', name: 'CREATING_A_NEW_JOB', namespace: NAMESPACE },
    ...{ deploymentId: DEPLOYMENT_ID, jobId: JOB_ID },
    ...{ createdAt: '2019-10-07T11:07:12.667123Z', resourceVersion: 1 },
  },
  spec: { message: 'Creating a new job.' },
})

export const NEW_SECRET: JsonObject = {
  metadata: { name: 'db-password' },
  spec: { value: 'not shown again' },
}
export const SECRET_PATCH: JsonObject = { spec: { value: 'another one' } }
export const SECRET = resource('SecretValue', {
  metadata: metadata('d0f6b2a1-7c3e-4b5d-8e9f-1a2b3c4d5e6f', { name: 'db-password' }),
  spec: { kind: 'PLAIN' },
})
