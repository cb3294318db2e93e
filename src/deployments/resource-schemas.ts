/** The bodies of requests. They are checked by `schema-check.ts` and printed in the API's description. */
import type { Json } from './resources.ts'
import type { Common, Schema } from './schema.ts'

type ObjectSchema = Extract<Schema, { readonly kind: 'object' }>
type Members = ObjectSchema['members']

/** Of a resource whose name is a part of paths. */
const NAME_CHARACTERS_MAX = 250
const DEPLOYMENT_NAME_CHARACTERS_MAX = 4_096
/** 1,000 of them are in memory. */
export const SECRET_CHARACTERS_MAX = 32_768
const INTEGER_MAX = 2_147_483_647
const MEMORY = /^\d+(?:\.\d+)?[kmg]?b?$/i

export const ARTIFACT_KINDS = ['SQLSCRIPT', 'JAR'] as const

/** A text; numbers and booleans become theirs. */
const SCALAR: Schema = { kind: 'text', takesScalars: true }
const TEXT: Schema = { kind: 'text' }

function closed(members: Members, common: Common = {}, isChoice = false): ObjectSchema {
  return { kind: 'object', members, others: 'refused', ...(isChoice && { isChoice }), ...common }
}

function count(about: string, fallback: number): Schema {
  return { kind: 'integer', min: 1, max: INTEGER_MAX, default: fallback, about }
}

function texts(about: string, example: Json): Schema {
  return { kind: 'map', values: SCALAR, default: {}, about, example }
}

const labels = texts('For label selectors.', { team: 'a' })
const annotations = texts('Any texts of the client.', { 'com.example/owner': 'data' })

function metadata(members: Members, kind: { readonly isNamed: boolean }): ObjectSchema {
  const readOnly = (about: string, format: 'uuid' | 'date-time'): Schema => {
    return { kind: 'text', format, isReadOnly: true, about }
  }
  return {
    ...{ kind: 'object', others: 'ignored' },
    ...(kind.isNamed && { isRequired: true }),
    members: {
      id: readOnly('Made by the service.', 'uuid'),
      ...members,
      namespace: { kind: 'text', about: 'That of the path.', example: 'default' },
      createdAt: readOnly('When it was created.', 'date-time'),
      modifiedAt: readOnly('When it was changed last.', 'date-time'),
      ...{ labels, annotations },
      resourceVersion: {
        ...{ kind: 'integer', isReadOnly: true },
        about: 'One more after every change. Ignored in requests.',
      },
    },
  }
}

/** The name of a resource that is addressed by it. */
const addressName: Schema = {
  ...{ kind: 'text', isRequired: true, charactersMin: 1, charactersMax: NAME_CHARACTERS_MAX },
  pattern: /^[a-zA-Z0-9_-]+$/,
  wanted: 'must have only the characters a-z, A-Z, 0-9, _ and -',
  about: 'Unique in the namespace, and never changed.',
}

function resource(kind: string, members: Members): ObjectSchema {
  return closed({
    kind: { kind: 'choice', of: [kind] },
    apiVersion: { kind: 'choice', of: ['v1'] },
    ...members,
    status: { kind: 'any', isReadOnly: true, about: 'What the service has found. Ignored in requests.' },
  })
}

const size = (about: string): Schema =>
  closed(
    {
      cpu: { kind: 'number', min: 0, default: 1, about: 'Processors.' },
      memory: {
        ...{ kind: 'text', pattern: MEMORY, wanted: 'must be a size such as 1g', default: '1g' },
        about: 'A number of bytes, with k, m or g.',
      },
    },
    { about },
  )

const artifact: Schema = closed(
  {
    kind: { kind: 'choice', of: ARTIFACT_KINDS, isRequired: true, example: 'SQLSCRIPT' },
    sqlScript: {
      ...{ kind: 'text', charactersMin: 1, example: 'INSERT INTO out1 SELECT * FROM in1' },
      about: 'Of kind SQLSCRIPT: INSERT INTO or a statement set, behind temporary tables and views.',
    },
    jarUri: { kind: 'text', charactersMin: 1, about: 'Of kind JAR: where the jar is.' },
    mainArgs: TEXT,
    entryClass: TEXT,
    ...{ flinkVersion: SCALAR, flinkImageRegistry: TEXT, flinkImageRepository: TEXT, flinkImageTag: SCALAR },
  },
  { isRequired: true, about: 'What runs.' },
)

const logging: Schema = closed(
  {
    loggingProfile: { ...TEXT, default: 'default' },
    log4jLoggers: { kind: 'map', values: SCALAR, default: { '': 'INFO' } },
    log4j2ConfigurationTemplate: TEXT,
  },
  { about: 'Kept without effect.' },
)

const kept = (about: string): Schema => ({ kind: 'any', about })

const templateSpec: ObjectSchema = closed({
  artifact,
  parallelism: count('Wanted parallelism. Jobs in this service run with 1.', 1),
  numberOfTaskManagers: count('Kept without effect on jobs in this service.', 1),
  resources: closed({ jobmanager: size('Of the job manager.'), taskmanager: size('Of a task manager.') }),
  flinkConfiguration: texts('Options of Flink. Their values may name secret values.', {
    'execution.checkpointing.interval': '10s',
  }),
  logging,
  kubernetes: { kind: 'any', default: {}, about: 'Kept without effect.' },
  latestCheckpointFetchInterval: kept('Kept without effect.'),
})

/** The one member that names another resource by its name. It becomes `deploymentTargetId`. */
export const TARGET_NAME = 'deploymentTargetName'

export const deploymentSpec: ObjectSchema = closed(
  {
    state: {
      ...{ kind: 'choice', of: ['RUNNING', 'SUSPENDED', 'CANCELLED'], default: 'RUNNING' },
      about: 'The wanted state.',
    },
    deploymentTargetId: {
      ...{ kind: 'text', isRequired: true, format: 'uuid' },
      about: 'Where jobs run. deploymentTargetName may be given in its place.',
    },
    upgradeStrategy: closed({
      kind: {
        ...{ kind: 'choice', of: ['STATELESS', 'STATEFUL', 'NONE'], default: 'STATEFUL' },
        about: 'What happens when the template changes while a job runs.',
      },
    }),
    restoreStrategy: closed({
      kind: {
        ...{ kind: 'choice', of: ['LATEST_STATE', 'LATEST_SAVEPOINT', 'NONE'], default: 'LATEST_STATE' },
        about: 'The state with which a job starts.',
      },
      allowNonRestoredState: {
        ...{ kind: 'boolean', default: false },
        about: 'Start without state if it does not fit the script.',
      },
    }),
    maxSavepointCreationAttempts: count('Attempts before a suspension is given up.', 4),
    maxJobCreationAttempts: count('Attempts in a row before the deployment fails.', 4),
    template: closed(
      { metadata: { kind: 'object', others: 'ignored', members: { annotations } }, spec: templateSpec },
      { about: 'What jobs are made from.' },
    ),
    jobFailureExpirationTime: kept('Kept without effect.'),
    latestCheckpointFetchInterval: kept('Kept without effect.'),
  },
  { isRequired: true },
)

const deploymentName: Schema = {
  ...{ kind: 'text', isRequired: true, charactersMin: 1, charactersMax: DEPLOYMENT_NAME_CHARACTERS_MAX },
  about: 'Any text; it need not be unique.',
  example: 'copy',
}

export const deploymentSchema: ObjectSchema = resource('Deployment', {
  metadata: metadata({ name: deploymentName }, { isNamed: true }),
  spec: deploymentSpec,
})

export const defaultsSchema: ObjectSchema = resource('DeploymentDefaults', {
  metadata: metadata({}, { isNamed: false }),
  spec: {
    ...deploymentSpec,
    isRequired: false,
    about: 'Taken where the spec of a new deployment has nothing.',
  },
})

const GROUP = '[0-9A-Fa-f]{1,4}'
const IPV6 = `(?:::1|(?:${GROUP}:){7}${GROUP}|(?:${GROUP}:){1,6}:${GROUP})`
/** Without a user name and a password: targets are shown as they are. */
const CLUSTER_URL = {
  kind: 'text',
  charactersMax: 2_000,
  pattern: new RegExp(
    `^https?://(?:[A-Za-z0-9.-]+|\\[${IPV6}\\])(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~/-]*)?$`,
  ),
  wanted: 'must be a URL such as http://127.0.0.1:8081',
} as const

export const TARGET_KINDS = ['embedded', 'flink', 'kubernetes'] as const

export const targetSchema: ObjectSchema = resource('DeploymentTarget', {
  metadata: metadata({ name: { ...addressName, example: 'cluster' } }, { isNamed: true }),
  spec: closed(
    {
      embedded: { kind: 'object', members: {}, others: 'kept', about: 'Jobs run in this service.' },
      flink: closed(
        {
          restUrl: { ...CLUSTER_URL, isRequired: true, charactersMin: 1 },
          sqlGatewayUrl: CLUSTER_URL,
        },
        { about: 'A cluster of Apache Flink.' },
      ),
      kubernetes: {
        ...{ kind: 'object', members: { namespace: TEXT }, others: 'kept' },
        about: 'As embedded: for clients that know no other kind.',
        example: { namespace: 'jobs' },
      },
    },
    { isRequired: true, about: 'One of the members.' },
    true,
  ),
})

export const savepointSchema: ObjectSchema = resource('Savepoint', {
  metadata: {
    ...metadata(
      {
        deploymentId: { kind: 'text', format: 'uuid', isRequired: true },
        jobId: { kind: 'text', format: 'uuid', isReadOnly: true },
        origin: { kind: 'text', isReadOnly: true },
      },
      { isNamed: true },
    ),
  },
  spec: closed(
    {
      savepointLocation: {
        ...{ kind: 'text', charactersMin: 1, charactersMax: 4_096 },
        about: 'A savepoint that is there. Without it, one is taken.',
      },
      flinkSavepointId: { kind: 'text', format: 'uuid', charactersMax: 100 },
    },
    { about: 'What the deployment starts from.' },
  ),
})

export const secretSchema: ObjectSchema = resource('SecretValue', {
  metadata: metadata({ name: { ...addressName, example: 'db-password' } }, { isNamed: true }),
  spec: closed(
    {
      kind: { kind: 'choice', of: ['PLAIN'], default: 'PLAIN' },
      value: {
        ...{ kind: 'text', isRequired: true, isWriteOnly: true, charactersMax: SECRET_CHARACTERS_MAX },
        about: 'Never shown.',
      },
    },
    { isRequired: true },
  ),
})
