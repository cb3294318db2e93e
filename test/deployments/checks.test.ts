/** What requests are refused for: every check, with its attribute and its message. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  COPY,
  cancelled,
  type DeploymentsApp,
  errorsOf,
  exceptionOf,
  startDeploymentsApp,
} from '../support/deployments.ts'

let app: DeploymentsApp & { stop(): Promise<void> }
let id: string
beforeAll(async () => {
  app = await startDeploymentsApp()
  id = (await app.deployment('present')).metadata.id
})
afterAll(() => app.stop())

const UUID = '3e3653eb-22d6-4449-a3d2-8d57d385bc45'
const SPEC = 'spec.template.spec'
const artifact = (value: unknown) => ({ template: { spec: { artifact: value } } })
const template = (value: object) => ({ template: { spec: value } })

interface Case {
  readonly name: string
  readonly spec: object
  readonly errors: readonly string[]
}

/** Refused in a POST and in a PATCH alike. */
const SPECS: readonly Case[] = [
  {
    name: 'an unknown state',
    spec: { state: 'STOPPED' },
    errors: ['spec.state: must be one of RUNNING, SUSPENDED, CANCELLED'],
  },
  {
    name: 'a state that is no text',
    spec: { state: 1 },
    errors: ['spec.state: must be one of RUNNING, SUSPENDED, CANCELLED'],
  },
  {
    ...{ name: 'an unknown upgrade strategy', spec: { upgradeStrategy: { kind: 'X' } } },
    errors: ['spec.upgradeStrategy.kind: must be one of STATELESS, STATEFUL, NONE'],
  },
  {
    ...{
      name: 'an unknown restore strategy',
      spec: { restoreStrategy: { kind: 'X', allowNonRestoredState: 'no' } },
    },
    errors: [
      'spec.restoreStrategy.kind: must be one of LATEST_STATE, LATEST_SAVEPOINT, NONE',
      'spec.restoreStrategy.allowNonRestoredState: must be true or false',
    ],
  },
  {
    ...{ name: 'an unknown target', spec: { deploymentTargetId: UUID } },
    errors: [`spec.deploymentTargetId: deployment target ${UUID} does not exist`],
  },
  {
    ...{ name: 'an unknown name of a target', spec: { deploymentTargetName: 'nope' } },
    errors: ['spec.deploymentTargetName: deployment target nope does not exist'],
  },
  {
    ...{ name: 'a name of a target that is an object', spec: { deploymentTargetName: { toString: 1 } } },
    errors: ['spec.deploymentTargetName: must be a text'],
  },
  {
    ...{ name: 'an unknown kind of artifact', spec: artifact({ kind: 'UDF' }) },
    errors: [`${SPEC}.artifact.kind: must be one of SQLSCRIPT, JAR`],
  },
  {
    ...{
      name: 'a script that does not parse',
      spec: artifact({ kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO out1' }),
    },
    errors: [
      expect.stringMatching(/^spec\.template\.spec\.artifact\.sqlScript: .* line 1, column \d+/) as string,
    ],
  },
  {
    ...{
      name: 'a script with an unknown table',
      spec: artifact({ kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO nope SELECT a FROM in1' }),
    },
    errors: [expect.stringMatching(/artifact\.sqlScript: .*nope.* line 1, column 13/) as string],
  },
  {
    ...{
      name: 'a script with an unknown column',
      spec: artifact({ kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO out1\nSELECT b FROM in1' }),
    },
    errors: [expect.stringMatching(/artifact\.sqlScript: .* line 2, column 8/) as string],
  },
  {
    ...{ name: 'a query', spec: artifact({ kind: 'SQLSCRIPT', sqlScript: 'SELECT a FROM in1' }) },
    errors: [
      `${SPEC}.artifact.sqlScript: the script has rows and no table for them; a deployment runs INSERT INTO or a statement set`,
    ],
  },
  {
    ...{ name: 'an empty script', spec: artifact({ kind: 'SQLSCRIPT', sqlScript: '' }) },
    errors: [`${SPEC}.artifact.sqlScript: must not be empty`],
  },
  {
    ...{
      name: 'low numbers',
      spec: {
        maxSavepointCreationAttempts: 0,
        maxJobCreationAttempts: -1,
        ...template({ parallelism: 0, numberOfTaskManagers: 0 }),
      },
    },
    errors: [
      'spec.maxSavepointCreationAttempts: must be greater than or equal to 1',
      'spec.maxJobCreationAttempts: must be greater than or equal to 1',
      `${SPEC}.parallelism: must be greater than or equal to 1`,
      `${SPEC}.numberOfTaskManagers: must be greater than or equal to 1`,
    ],
  },
  {
    ...{
      name: 'numbers of another kind',
      spec: { maxJobCreationAttempts: 1.5, ...template({ parallelism: '2' }) },
    },
    errors: [
      'spec.maxJobCreationAttempts: must be a whole number',
      `${SPEC}.parallelism: must be a whole number`,
    ],
  },
  {
    ...{
      name: 'sizes',
      spec: template({ resources: { jobmanager: { cpu: 'x' }, taskmanager: { cpu: -1, memory: '1t' } } }),
    },
    errors: [
      `${SPEC}.resources.jobmanager.cpu: must be a number`,
      `${SPEC}.resources.taskmanager.cpu: must be greater than or equal to 0`,
      `${SPEC}.resources.taskmanager.memory: must be a size such as 1g`,
    ],
  },
  {
    ...{
      name: 'unknown members',
      spec: { stat: 'RUNNING', ...template({ paralelism: 1, resources: { taskmanagers: {} } }) },
    },
    errors: [
      `${SPEC}.resources.taskmanagers: unknown attribute`,
      `${SPEC}.paralelism: unknown attribute`,
      'spec.stat: unknown attribute',
    ],
  },
  {
    ...{
      name: 'an unknown member of an artifact',
      spec: artifact({ kind: 'SQLSCRIPT', sqlScript: COPY, script: 'x' }),
    },
    errors: [`${SPEC}.artifact.script: unknown attribute`],
  },
  {
    ...{ name: 'options that are no texts', spec: template({ flinkConfiguration: { a: { b: 1 }, c: [] } }) },
    errors: [`${SPEC}.flinkConfiguration.a: must be a text`, `${SPEC}.flinkConfiguration.c: must be a text`],
  },
  {
    name: 'options that are no object',
    spec: template({ flinkConfiguration: 'x' }),
    errors: [`${SPEC}.flinkConfiguration: must be an object`],
  },
  {
    name: 'a template that is no object',
    spec: { template: [] },
    errors: ['spec.template: must be an object'],
  },
]

describe('POST of a deployment with', () => {
  test.each(SPECS)('$name', async ({ spec, errors }) => {
    const base = cancelled() as { template?: { spec: object } }
    const given = spec as { template?: { spec?: object } }
    const merged = {
      ...base,
      ...spec,
      ...(isObject(given.template) && {
        template: { spec: { ...base.template!.spec, ...given.template!.spec } },
      }),
    }
    expect(
      errorsOf(await app.call('POST', 'deployments', { metadata: { name: 'x' }, spec: merged })),
    ).toEqual(errors)
  })

  test.each([
    [{}, ['metadata.name: must not be empty', `${SPEC}.artifact.kind: must not be null`]],
    [
      { metadata: null, spec: null },
      ['metadata.name: must not be empty', `${SPEC}.artifact.kind: must not be null`],
    ],
    [{ metadata: { name: '' }, spec: cancelled() }, ['metadata.name: must not be empty']],
    [
      { metadata: { name: 'x'.repeat(4097) }, spec: cancelled() },
      ['metadata.name: must have at most 4096 characters'],
    ],
    [{ metadata: { name: 7 }, spec: cancelled() }, ['metadata.name: must be a text']],
    [{ metadata: [], spec: cancelled() }, ['metadata: must be an object']],
    [{ metadata: { name: 'x' }, spec: 'RUNNING' }, ['spec: must be an object']],
    [
      { metadata: { name: 'x', namespace: 'other', labels: { a: {} }, annotations: 1 }, spec: cancelled() },
      [
        'metadata.namespace: must be default, as in the path',
        'metadata.labels.a: must be a text',
        'metadata.annotations: must be an object',
      ],
    ],
    [
      { kind: 'Job', apiVersion: 'v2', metadata: { name: 'x' }, spec: cancelled() },
      ['kind: must be Deployment', 'apiVersion: must be v1'],
    ],
    [{ metadata: { name: 'x' }, sepc: {}, spec: cancelled() }, ['sepc: unknown attribute']],
    [
      { metadata: { name: 'x' }, spec: { template: { spec: { artifact: { kind: 'SQLSCRIPT' } } } } },
      [`${SPEC}.artifact.sqlScript: must not be null`],
    ],
    [
      { metadata: { name: 'x' }, spec: { template: { spec: { artifact: { kind: 'JAR' } } } } },
      [`${SPEC}.artifact.jarUri: must not be null`],
    ],
    [
      { spec: { ...cancelled(), state: 'X', stat: 1, deploymentTargetId: UUID } },
      [
        'metadata.name: must not be empty',
        'spec.state: must be one of RUNNING, SUSPENDED, CANCELLED',
        'spec.stat: unknown attribute',
        `spec.deploymentTargetId: deployment target ${UUID} does not exist`,
      ],
    ],
  ])('case %#', async (body, errors) => {
    expect(errorsOf(await app.call('POST', 'deployments', body))).toEqual(errors)
  })

  test('what is ignored', async () => {
    const body = {
      ...{ kind: 'Deployment', apiVersion: 'v1', status: { state: 'RUNNING', x: 1 } },
      metadata: {
        name: 'ignored',
        id: 'x',
        createdAt: 7,
        modifiedAt: null,
        resourceVersion: 'many',
        namespace: 'default',
        other: {},
      },
      spec: {
        ...cancelled({ kubernetes: { pods: [1] } }),
        jobFailureExpirationTime: 'P1D',
        latestCheckpointFetchInterval: 5,
      },
    }
    const { metadata, spec, status } = await app.ok('POST', 'deployments', body)
    expect(metadata).toEqual({
      ...{
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
        name: 'ignored',
        namespace: 'default',
      },
      ...{ createdAt: '1970-01-01T00:16:40.000Z', modifiedAt: '1970-01-01T00:16:40.000Z' },
      ...{ labels: {}, annotations: {}, resourceVersion: 1 },
    })
    expect(spec).toMatchObject({ jobFailureExpirationTime: 'P1D', latestCheckpointFetchInterval: 5 })
    expect(spec.template.spec.kubernetes).toEqual({ pods: [1] })
    expect(status).toEqual({ state: 'CANCELLED' })
  })

  test.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['no JSON', '{'],
  ])('%s as body', async (_, body) => {
    const answer = await app.call('POST', 'deployments', body)
    expect([answer.status, answer.body.reason]).toEqual([400, 'MalformedBody'])
  })

  test('a session cluster', async () => {
    const answer = await app.call('POST', 'deployments', {
      metadata: { name: 'x' },
      spec: { ...cancelled(), sessionClusterName: 's' },
    })
    expect(exceptionOf(answer)).toEqual([
      501,
      'NotImplemented',
      'sessionClusterName is not supported; leave it out, and name a deployment target',
    ])
  })

  test('a jar that this service cannot run', async () => {
    const spec = artifact({ kind: 'JAR', jarUri: 'https://example.com/a.jar' })
    const answer = await app.call('POST', 'deployments', { metadata: { name: 'x' }, spec })
    expect(exceptionOf(answer)).toEqual([
      501,
      'NotImplemented',
      'artifact kind JAR needs a deployment target of kind flink',
    ])
  })
})

describe('PATCH of a deployment with', () => {
  test.each(SPECS)('$name', async ({ spec, errors }) => {
    expect(errorsOf(await app.call('PATCH', `deployments/${id}`, { spec }))).toEqual(errors)
  })

  test.each([
    [{ metadata: { name: 'other' } }, ['metadata.name: is immutable']],
    [{ metadata: { name: null } }, ['metadata.name: is immutable']],
    [{ metadata: { labels: { a: [] } } }, ['metadata.labels.a: must be a text']],
    [{ spec: { deploymentTargetId: null } }, ['spec.deploymentTargetId: must not be null']],
    [{ spec: artifact(null) }, [`${SPEC}.artifact.kind: must not be null`]],
    [{ spec: { template: null } }, [`${SPEC}.artifact.kind: must not be null`]],
    [{ spec: artifact({ sqlScript: null }) }, [`${SPEC}.artifact.sqlScript: must not be null`]],
    [
      { spec: null },
      ['spec.deploymentTargetId: must not be null', `${SPEC}.artifact.kind: must not be null`],
    ],
    [{ sepc: {} }, ['sepc: unknown attribute']],
  ])('%j', async (patch, errors) => {
    expect(errorsOf(await app.call('PATCH', `deployments/${id}`, patch))).toEqual(errors)
  })

  test.each(['null', '[]', '"x"', '7'])('%s as body', async (body) => {
    const answer = await app.call('PATCH', `deployments/${id}`, body)
    expect([answer.status, answer.body.reason]).toEqual([400, 'MalformedBody'])
  })

  test('nothing that is refused changes it', async () => {
    const { metadata } = await app.ok('GET', `deployments/${id}`)
    expect(metadata.resourceVersion).toBe(1)
  })
})

describe('POST of a target with', () => {
  test.each([
    [{}, ['metadata.name: must not be empty', 'spec: must have one of embedded, flink, kubernetes']],
    [{ metadata: { name: '' }, spec: { embedded: {} } }, ['metadata.name: must not be empty']],
    [
      { metadata: { name: 'a b' }, spec: { embedded: {} } },
      ['metadata.name: must have only the characters a-z, A-Z, 0-9, _ and -'],
    ],
    [
      { metadata: { name: 'x'.repeat(251) }, spec: { embedded: {} } },
      ['metadata.name: must have at most 250 characters'],
    ],
    [
      { metadata: { name: 'x' }, spec: { embedded: {}, flink: { restUrl: 'http://a' } } },
      ['spec: must have one of embedded, flink, kubernetes'],
    ],
    [{ metadata: { name: 'x' }, spec: { flink: {} } }, ['spec.flink.restUrl: must not be empty']],
    [
      {
        metadata: { name: 'x' },
        spec: { flink: { restUrl: 'http://user:word@a', sqlGatewayUrl: 'ftp://a' } },
      },
      [
        'spec.flink.restUrl: must be a URL such as http://127.0.0.1:8081',
        'spec.flink.sqlGatewayUrl: must be a URL such as http://127.0.0.1:8081',
      ],
    ],
    [{ metadata: { name: 'x' }, spec: { yarn: {} } }, ['spec.yarn: unknown attribute']],
    [
      { kind: 'Deployment', metadata: { name: 'x' }, spec: { embedded: {} } },
      ['kind: must be DeploymentTarget'],
    ],
  ])('case %#', async (body, errors) => {
    expect(errorsOf(await app.call('POST', 'deployment-targets', body))).toEqual(errors)
  })
})

describe('PATCH of the defaults with', () => {
  test.each([
    [{ spec: { state: 'X' } }, ['spec.state: must be one of RUNNING, SUSPENDED, CANCELLED']],
    [{ spec: { parallelism: 1 } }, ['spec.parallelism: unknown attribute']],
    [
      { spec: { deploymentTargetId: UUID } },
      [`spec.deploymentTargetId: deployment target ${UUID} does not exist`],
    ],
    [
      { spec: { deploymentTargetName: 'nope' } },
      ['spec.deploymentTargetName: deployment target nope does not exist'],
    ],
    [
      { spec: { template: { spec: { parallelism: 0 } } } },
      [`${SPEC}.parallelism: must be greater than or equal to 1`],
    ],
  ])('%j', async (patch, errors) => {
    expect(errorsOf(await app.call('PATCH', 'deployment-defaults', patch))).toEqual(errors)
  })
})

describe('POST of a savepoint with', () => {
  test.each([
    [{}, ['metadata.deploymentId: must not be null']],
    [{ metadata: [null], spec: {} }, ['metadata: must be an object']],
    [{ metadata: 'x', spec: 1 }, ['metadata: must be an object', 'spec: must be an object']],
    [{ metadata: { deploymentId: UUID } }, [`metadata.deploymentId: deployment ${UUID} does not exist`]],
    [
      { metadata: { deploymentId: UUID }, spec: { location: 'x' } },
      ['spec.location: unknown attribute', `metadata.deploymentId: deployment ${UUID} does not exist`],
    ],
    [
      { metadata: { deploymentId: UUID }, spec: { savepointLocation: '' } },
      [
        'spec.savepointLocation: must not be empty',
        `metadata.deploymentId: deployment ${UUID} does not exist`,
      ],
    ],
  ])('%j', async (body, errors) => {
    expect(errorsOf(await app.call('POST', 'savepoints', body))).toEqual(errors)
  })
})

describe('POST of a secret value with', () => {
  test.each([
    [{}, ['metadata.name: must not be empty', 'spec.value: must not be null']],
    [
      { metadata: { name: 'a.b' }, spec: { value: 'geheim' } },
      ['metadata.name: must have only the characters a-z, A-Z, 0-9, _ and -'],
    ],
    [
      { metadata: { name: 'x' }, spec: { kind: 'CIPHER', value: 7 } },
      ['spec.kind: must be PLAIN', 'spec.value: must be a text'],
    ],
    [
      { metadata: { name: 'x' }, spec: { value: 'x'.repeat(32_769) } },
      ['spec.value: must have at most 32768 characters'],
    ],
  ])('case %#', async (body, errors) => {
    expect(errorsOf(await app.call('POST', 'secret-values', body))).toEqual(errors)
  })
})

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
