/** What requests change: defaults, patches, selectors, names, limits, deletions, namespaces and restarts. */
import { describe, expect, test } from 'vitest'
import { ABSENT_ID, COPY, cancelled, deploymentsApp, exceptionOf } from '../support/deployments.ts'

const TEMPLATE = {
  ...{ parallelism: 1, numberOfTaskManagers: 1 },
  resources: { jobmanager: { cpu: 1, memory: '1g' }, taskmanager: { cpu: 1, memory: '1g' } },
  ...{
    flinkConfiguration: {},
    logging: { loggingProfile: 'default', log4jLoggers: { '': 'INFO' } },
    kubernetes: {},
  },
}

describe('defaults', () => {
  test('of the namespace and of all are merged with the request, and stored', async () => {
    const app = await deploymentsApp()
    const first = await app.ok('GET', 'deployment-defaults')
    const [embedded] = (await app.ok('GET', 'deployment-targets')).items
    expect(first.spec).toEqual({ deploymentTargetId: embedded.metadata.id })
    const plain = await app.deployment('plain')
    expect(plain.spec).toEqual({
      ...{ state: 'CANCELLED', deploymentTargetId: embedded.metadata.id },
      ...{ upgradeStrategy: { kind: 'STATEFUL' } },
      restoreStrategy: { kind: 'LATEST_STATE', allowNonRestoredState: false },
      ...{ maxSavepointCreationAttempts: 4, maxJobCreationAttempts: 4 },
      template: {
        metadata: { annotations: {} },
        spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: COPY }, ...TEMPLATE },
      },
    })
    expect(Object.keys(plain.spec)).toEqual([
      ...['state', 'deploymentTargetId', 'upgradeStrategy', 'restoreStrategy'],
      ...['maxSavepointCreationAttempts', 'maxJobCreationAttempts', 'template'],
    ])
    const global = await app.ok('GET', '/api/v1/global-deployment-defaults')
    expect(global.spec.template.spec).toEqual(TEMPLATE)
    expect(global.spec).toMatchObject({ state: 'RUNNING', maxJobCreationAttempts: 4 })

    const defaults = {
      maxJobCreationAttempts: 7,
      upgradeStrategy: { kind: 'NONE' },
      template: { spec: { parallelism: 3, flinkConfiguration: { a: 1, b: true } } },
    }
    const patched = await app.ok('PATCH', 'deployment-defaults', { spec: defaults })
    expect(patched.spec).toEqual({
      ...defaults,
      deploymentTargetId: embedded.metadata.id,
      template: { spec: { parallelism: 3, flinkConfiguration: { a: '1', b: 'true' } } },
    })
    expect(patched.metadata).toMatchObject({ id: first.metadata.id, resourceVersion: 2 })
    const own = await app.deployment('own', {
      ...cancelled({ parallelism: null, flinkConfiguration: { b: 'x', c: null, d: 2.5 } }),
      maxJobCreationAttempts: 1,
    })
    expect(own.spec).toMatchObject({ maxJobCreationAttempts: 1, upgradeStrategy: { kind: 'NONE' } })
    expect(own.spec.template.spec).toMatchObject({ parallelism: 3 })
    expect(own.spec.template.spec.flinkConfiguration).toEqual({ a: '1', b: 'x', d: '2.5' })
    expect(await app.ok('GET', 'deployments/plain')).toEqual(plain)

    await app.ok('PATCH', 'deployment-defaults', {
      spec: { upgradeStrategy: null, deploymentTargetId: null, template: { spec: { parallelism: null } } },
    })
    const without = await app.call('POST', 'deployments', { metadata: { name: 'x' }, spec: cancelled() })
    expect(without.body.errors).toEqual([
      { attribute: 'spec.deploymentTargetId', message: 'must not be null' },
    ])
    const named = await app.deployment('named', { deploymentTargetName: 'embedded' })
    expect(named.spec).toMatchObject({ upgradeStrategy: { kind: 'STATEFUL' }, maxJobCreationAttempts: 7 })
    expect(named.spec.deploymentTargetId).toBe(embedded.metadata.id)
    expect(named.spec).not.toHaveProperty('deploymentTargetName')
    await app.restart()
    expect((await app.ok('GET', 'deployment-defaults')).spec).not.toHaveProperty('deploymentTargetId')
  })

  test('a script and a state may be defaults', async () => {
    const app = await deploymentsApp()
    await app.ok('PATCH', 'deployment-defaults', { spec: cancelled() })
    const { spec, status } = await app.ok('POST', 'deployments', { metadata: { name: 'x' } })
    expect([status, spec.template.spec.artifact.sqlScript]).toEqual([{ state: 'CANCELLED' }, COPY])
  })
})

describe('PATCH', () => {
  test('sets, removes and replaces members; the version goes up each time', async () => {
    const app = await deploymentsApp()
    const { metadata } = await app.deployment(
      'copy',
      cancelled({ flinkConfiguration: { foo: 1, bar: 'x' }, parallelism: 5 }),
      { labels: { a: '1', b: '2' }, annotations: { n: 3 } },
    )
    const path = `deployments/${metadata.id}`
    app.nowMs += 5_000
    const one = await app.ok('PATCH', path, {
      ...{ kind: 'Nonsense', apiVersion: 9, status: { state: 'RUNNING' } },
      metadata: {
        ...{ id: 'x', createdAt: 'x', modifiedAt: 'x', namespace: 'other', resourceVersion: 77 },
        ...{ labels: { a: null, c: true }, name: 'copy' },
      },
      spec: { template: { spec: { flinkConfiguration: { foo: null, bar: 'baz' } } } },
    })
    expect(one.metadata).toEqual({
      ...metadata,
      ...{ modifiedAt: '1970-01-01T00:16:45.000Z', resourceVersion: 2 },
      labels: { b: '2', c: 'true' },
    })
    expect(one.spec.template.spec.flinkConfiguration).toEqual({ bar: 'baz' })
    expect(one.status).toEqual({ state: 'CANCELLED' })
    expect(one.spec.template.spec.parallelism).toBe(5)

    const two = await app.ok('PATCH', path, {
      metadata: { annotations: null },
      spec: {
        maxJobCreationAttempts: null,
        template: {
          spec: { parallelism: null, logging: null, resources: { taskmanager: { memory: '2G' } } },
        },
      },
    })
    expect(two.metadata).toMatchObject({ annotations: {}, labels: { b: '2', c: 'true' }, resourceVersion: 3 })
    expect(two.spec.template.spec).toEqual({
      artifact: { kind: 'SQLSCRIPT', sqlScript: COPY },
      ...TEMPLATE,
      flinkConfiguration: { bar: 'baz' },
      resources: { jobmanager: { cpu: 1, memory: '1g' }, taskmanager: { cpu: 1, memory: '2G' } },
    })
    const three = await app.ok('PATCH', path, {})
    expect(three).toEqual({ ...two, metadata: { ...two.metadata, resourceVersion: 4 } })
    expect(await app.ok('GET', path)).toEqual(three)
  })

  test('what GET prints may be sent back', async () => {
    const app = await deploymentsApp()
    const created = await app.deployment('copy', {}, { labels: { a: 'b' } })
    const path = `deployments/${created.metadata.id}`
    const again = await app.ok('PATCH', path, created)
    expect(again).toEqual({ ...created, metadata: { ...created.metadata, resourceVersion: 2 } })
    const other = await app.ok('POST', 'deployments', created)
    expect(other.metadata.id).not.toBe(created.metadata.id)
    expect({ ...other, metadata: 0 }).toEqual({ ...created, metadata: 0 })
  })

  test('the target by its name', async () => {
    const app = await deploymentsApp()
    const other = await app.ok('POST', 'deployment-targets', {
      metadata: { name: 'other' },
      spec: { kubernetes: { namespace: 'x' } },
    })
    const { metadata, spec } = await app.deployment('copy')
    const path = `deployments/${metadata.id}`
    const moved = await app.ok('PATCH', path, { spec: { deploymentTargetName: 'other' } })
    expect(moved.spec).toEqual({ ...spec, deploymentTargetId: other.metadata.id })
    const both = await app.call('PATCH', path, {
      spec: { deploymentTargetName: 'other', deploymentTargetId: spec.deploymentTargetId },
    })
    expect(both.body.errors).toEqual([
      {
        attribute: 'spec.deploymentTargetName',
        message: 'is the name of another deployment target than deploymentTargetId',
      },
    ])
  })

  test('a kind of artifact that is replaced leaves no members behind', async () => {
    const app = await deploymentsApp()
    const { metadata } = await app.deployment('copy')
    const jar = { kind: 'JAR', jarUri: 'nowhere.jar' }
    const refused = await app.call('PATCH', `deployments/${metadata.id}`, {
      spec: { template: { spec: { artifact: jar } } },
    })
    expect(refused.body.reason).toBe('NotImplemented')
    const secret = await app.ok('PATCH', `deployments/${metadata.id}`, {
      spec: { template: { spec: { artifact: { ...jar, jarUri: `\${jar}` } } } },
    })
    expect(secret.spec.template.spec.artifact).toEqual({ kind: 'JAR', jarUri: `\${jar}` })
    const back = await app.ok('PATCH', `deployments/${metadata.id}`, {
      spec: { template: { spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: COPY, flinkVersion: 1.12 } } } },
    })
    expect(back.spec.template.spec.artifact).toEqual({
      kind: 'SQLSCRIPT',
      sqlScript: COPY,
      flinkVersion: '1.12',
    })
  })

  test('a deployment whose tables are gone can still be changed and deleted', async () => {
    const app = await deploymentsApp()
    const { metadata } = await app.deployment('copy')
    const tables = await app.get('/v1/project/p/service/default/flink/table')
    for (const { table_id } of (tables.json() as { tables: { table_id: string }[] }).tables)
      expect((await app.delete(`/v1/project/p/service/default/flink/table/${table_id}`)).status).toBe(200)
    const path = `deployments/${metadata.id}`
    const { status } = await app.ok('PATCH', path, {
      metadata: { labels: { a: 'b' } },
      spec: { state: 'SUSPENDED' },
    })
    expect(status.state).toBe('SUSPENDED')
    await app.ok('PATCH', path, { spec: { state: 'CANCELLED' } })
    await app.ok('DELETE', path)
  })

  test('patches at a time are all applied, one after another', async () => {
    const app = await deploymentsApp()
    const { metadata } = await app.deployment('copy')
    const path = `deployments/${metadata.id}`
    const labels = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`l${i}`, String(i)]))
    const answers = await Promise.all(
      Object.entries(labels).map(([name, value]) =>
        app.ok('PATCH', path, { metadata: { labels: { [name]: value } } }),
      ),
    )
    expect(answers.map((body) => body.metadata.resourceVersion).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 2),
    )
    expect((await app.ok('GET', path)).metadata.labels).toEqual(labels)
  })
})

describe('lists and names', () => {
  test('oldest first, by label, after a restart too; a name that two have is refused', async () => {
    const app = await deploymentsApp({ onDisk: true })
    const one = await app.deployment('one', {}, { labels: { team: 'a' } })
    const two = await app.deployment('SELECT a\nFROM "x/y"', {}, { labels: { team: 'b' } })
    const three = await app.deployment('one', {}, { labels: { env: 'x' } })
    const names = async (query = '') => {
      const list = await app.ok('GET', `deployments${query}`)
      expect(list).toMatchObject({ kind: 'DeploymentList', apiVersion: 'v1', metadata: {} })
      return list.items
    }
    expect(await names()).toEqual([one, two, three])
    expect(await names('?labelSelector=team%20in%20(a,c)')).toEqual([one])
    expect(await names('?labelSelector=team')).toEqual([one, two])
    expect(await names('?labelSelector=!team')).toEqual([three])
    const wrong = await app.call('GET', 'deployments?labelSelector=team%20in')
    expect(exceptionOf(wrong)).toEqual([
      400,
      'InvalidLabelSelector',
      "labelSelector 'team in' ends at column 8; use '(' there",
    ])
    expect(await app.ok('GET', `deployments/${encodeURIComponent('SELECT a\nFROM "x/y"')}`)).toEqual(two)
    expect(await app.ok('GET', `deployments/${two.metadata.id.toUpperCase()}`)).toEqual(two)
    for (const method of ['GET', 'PATCH', 'DELETE'])
      expect(
        exceptionOf(await app.call(method, 'deployments/one', method === 'PATCH' ? {} : undefined)),
      ).toEqual([
        ...[
          409,
          'AmbiguousName',
          'Several deployments of namespace default have the name one; use the id of one.',
        ],
      ])
    await app.restart()
    expect(await names()).toEqual([one, two, three])
    await app.ok('DELETE', `deployments/${one.metadata.id}`)
    expect(await app.ok('GET', 'deployments/one')).toEqual(three)
    expect(await names()).toEqual([two, three])
    const missing = await app.call('GET', `deployments/${one.metadata.id}`)
    expect(missing.body.context).toEqual({ namespace: 'default', id: one.metadata.id })
    expect(exceptionOf(missing)).toEqual([
      404,
      'DeploymentNotFound',
      `Deployment ${one.metadata.id} does not exist in namespace default.`,
    ])
  })

  test.each(['jobs', 'savepoints', 'events', 'deployment-targets', 'secret-values'])(
    '%s of nothing',
    async (path) => {
      const app = await deploymentsApp()
      const { items } = await app.ok('GET', `${path}?deploymentId=${ABSENT_ID}&jobId=x`)
      expect(items.length).toBe(path === 'deployment-targets' ? 1 : 0)
      const one = await app.call('GET', `${path}/${ABSENT_ID}`)
      expect(one.status).toBe(404)
    },
  )
})

describe('targets', () => {
  test('are created, addressed by name, and deleted unless they are used', async () => {
    const app = await deploymentsApp({ onDisk: true })
    const target = await app.ok('POST', 'deployment-targets', {
      metadata: { name: 'c', labels: { a: 1 } },
      spec: { flink: { restUrl: 'http://127.0.0.1:1' } },
    })
    expect(target).toMatchObject({ kind: 'DeploymentTarget', metadata: { name: 'c', labels: { a: '1' } } })
    expect(await app.ok('GET', 'deployment-targets/c')).toEqual(target)
    const twice = await app.call('POST', 'deployment-targets', {
      metadata: { name: 'c' },
      spec: { embedded: {} },
    })
    expect(exceptionOf(twice)).toEqual([409, 'NameAlreadyExists', 'DeploymentTarget c already exists.'])
    const flink = await app.call('POST', 'deployments', {
      metadata: { name: 'x' },
      spec: { ...cancelled(), deploymentTargetName: 'c' },
    })
    expect(flink.body).toMatchObject({ statusCode: 501, reason: 'NotImplemented' })
    expect((await app.call('PATCH', 'deployment-targets/c', {})).status).toBe(405)
    expect(await app.ok('DELETE', 'deployment-targets/c')).toEqual(target)
    expect(exceptionOf(await app.call('DELETE', 'deployment-targets/c'))).toEqual([
      ...[404, 'DeploymentTargetNotFound', 'DeploymentTarget c does not exist in namespace default.'],
    ])

    expect(exceptionOf(await app.call('DELETE', 'deployment-targets/embedded'))).toEqual([
      ...[409, 'DeploymentTargetInUse'],
      'DeploymentTarget embedded cannot be deleted: it is the default; PATCH deployment-defaults with another deploymentTargetId.',
    ])
    const k8s = await app.ok('POST', 'deployment-targets', {
      metadata: { name: 'k' },
      spec: { kubernetes: { namespace: 'x' } },
    })
    const { metadata } = await app.deployment('copy')
    await app.ok('PATCH', 'deployment-defaults', { spec: { deploymentTargetId: k8s.metadata.id } })
    expect(exceptionOf(await app.call('DELETE', 'deployment-targets/embedded'))).toEqual([
      ...[409, 'DeploymentTargetInUse'],
      `DeploymentTarget embedded cannot be deleted: deployment ${metadata.id} uses it; delete the deployment, or give it another target.`,
    ])
    await app.ok('PATCH', `deployments/${metadata.id}`, { spec: { deploymentTargetName: 'k' } })
    await app.ok('DELETE', 'deployment-targets/embedded')
    await app.restart()
    expect((await app.ok('GET', 'deployment-targets')).items).toEqual([k8s])
    const again = await app.ok('POST', 'deployment-targets', {
      metadata: { name: 'embedded' },
      spec: { embedded: {} },
    })
    expect((await app.ok('GET', 'deployment-targets')).items).toEqual([k8s, again])
  })
})

describe('limits', () => {
  test('deployments of a namespace', async () => {
    const app = await deploymentsApp({ limits: { maxDeployments: 2 } })
    const { metadata } = await app.deployment('one')
    await app.deployment('two')
    const third = await app.call('POST', 'deployments', { metadata: { name: 'three' }, spec: cancelled() })
    expect(exceptionOf(third)).toEqual([
      ...[409, 'TooManyResources'],
      'namespace default has 2 deployments; delete one first, or start with a higher --max-deployments',
    ])
    await app.ok('DELETE', `deployments/${metadata.id}`)
    const results = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        app.call('POST', 'deployments', { metadata: { name }, spec: cancelled() }),
      ),
    )
    expect(results.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  })

  test('targets, savepoints and secret values', async () => {
    const app = await deploymentsApp()
    const create = async (path: string, count: number, body: (i: number) => object) => {
      for (let i = 0; i < count; i++) await app.ok('POST', path, body(i))
      return exceptionOf(await app.call('POST', path, body(count)))
    }
    const target = (i: number) => ({ metadata: { name: `t${i}` }, spec: { embedded: {} } })
    expect(await create('deployment-targets', 99, target)).toEqual([
      ...[409, 'TooManyResources', 'namespace default has 100 deployment targets; delete one first'],
    ])
    const { metadata } = await app.deployment('copy')
    const savepoint = () => ({ metadata: { deploymentId: metadata.id }, spec: { savepointLocation: '/x' } })
    expect(await create('savepoints', 100, savepoint)).toEqual([
      ...[409, 'TooManyResources', `deployment ${metadata.id} has 100 savepoints; delete one first`],
    ])
  })
})

describe('savepoints', () => {
  test('of a location are complete at once, and go with their deployment', async () => {
    const app = await deploymentsApp({ onDisk: true })
    const { metadata } = await app.deployment('copy', { state: 'SUSPENDED' })
    const deploymentId = metadata.id
    const none = await app.call('POST', 'savepoints', { metadata: { deploymentId } })
    expect([none.status, none.body.reason]).toEqual([409, 'NoRunningJob'])
    const copied = await app.ok('POST', 'savepoints', {
      metadata: { deploymentId, labels: { a: 1 } },
      spec: { savepointLocation: '/x/y' },
    })
    expect(copied).toMatchObject({
      ...{ kind: 'Savepoint', status: { state: 'COMPLETED' } },
      metadata: { deploymentId, origin: 'COPIED', labels: { a: '1' } },
      spec: { savepointLocation: '/x/y', flinkSavepointId: expect.any(String) },
    })
    const path = `savepoints/${copied.metadata.id}`
    await app.restart()
    expect(await app.ok('GET', path)).toEqual(copied)
    expect((await app.ok('GET', `savepoints?deploymentId=${deploymentId}`)).items).toEqual([copied])
    expect(exceptionOf(await app.call('DELETE', path))).toEqual([
      ...[409, 'SavepointInUse'],
      `Savepoint ${copied.metadata.id} is the only state of deployment ${deploymentId}, which is suspended; start or cancel the deployment first.`,
    ])
    const other = await app.ok('POST', 'savepoints', {
      metadata: { deploymentId },
      spec: { savepointLocation: '/z' },
    })
    expect(await app.ok('DELETE', path)).toEqual(copied)
    expect((await app.call('GET', path)).body.reason).toBe('SavepointNotFound')
    await app.ok('PATCH', `deployments/${deploymentId}`, { spec: { state: 'CANCELLED' } })
    await app.ok('DELETE', `deployments/${deploymentId}`)
    expect((await app.ok('GET', 'savepoints')).items).toEqual([])
    expect((await app.ok('GET', 'events')).items).toEqual([])
    expect((await app.call('GET', `savepoints/${other.metadata.id}`)).status).toBe(404)
  })
})

describe('deletion', () => {
  test.each(['SUSPENDED', 'RUNNING'])('a deployment that is %s stays', async (state) => {
    const app = await deploymentsApp()
    const { metadata, status } = await app.deployment('copy', { state })
    expect(status.state).toBe(state === 'RUNNING' ? 'TRANSITIONING' : state)
    const refused = await app.call('DELETE', `deployments/${metadata.id}`)
    expect(exceptionOf(refused)).toEqual([
      ...[409, 'DeploymentNotCancelled'],
      expect.stringMatching(
        /^Deployment \S+ is (SUSPENDED|TRANSITIONING|RUNNING); set spec.state to CANCELLED, and delete it when its status is CANCELLED.$/,
      ),
    ])
    await app.ok('GET', `deployments/${metadata.id}`)
  })
})

describe('events', () => {
  test('have times that ascend, also where the clock stands or goes back, and after a deletion and a restart', async () => {
    const app = await deploymentsApp({ onDisk: true })
    const times: string[] = []
    const seen = async () => {
      for (const { metadata } of (await app.ok('GET', 'events')).items)
        if (!times.includes(metadata.createdAt)) times.push(metadata.createdAt)
    }
    const change = async (id: string) => {
      await app.ok('PATCH', `deployments/${id}`, { spec: { state: 'SUSPENDED' } })
      await app.ok('PATCH', `deployments/${id}`, { spec: { state: 'CANCELLED' } })
      await seen()
    }
    const one = await app.deployment('one')
    await change(one.metadata.id)
    app.nowMs -= 10_000
    await change(one.metadata.id)
    await app.ok('DELETE', `deployments/${one.metadata.id}`)
    await app.restart()
    const two = await app.deployment('two')
    await change(two.metadata.id)
    expect(times.length).toBeGreaterThan(9)
    expect(times).toEqual([...times].sort())
    for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    const { items } = await app.ok('GET', `events?deploymentId=${two.metadata.id}`)
    expect(items[0]).toEqual({
      ...{ kind: 'Event', apiVersion: 'v1' },
      metadata: {
        ...{
          id: expect.any(String),
          name: expect.any(String),
          namespace: 'default',
          deploymentId: two.metadata.id,
        },
        ...{ createdAt: expect.any(String), resourceVersion: 1 },
      },
      spec: { message: expect.any(String) },
    })
  })
})

describe('namespaces', () => {
  test('what is missing is 404 before anything else; a removed one takes its resources with it', async () => {
    const app = await deploymentsApp({ onDisk: true })
    for (const [method, path] of [
      ['GET', 'deployments'],
      ['POST', 'deployments'],
      ['GET', 'deployments/x'],
      ['PATCH', 'deployment-defaults'],
      ['POST', 'secret-values'],
    ] as const) {
      const answer = await app.call(
        method,
        `/api/v1/namespaces/absent/${path}`,
        method === 'GET' ? undefined : {},
      )
      expect([answer.status, answer.body.reason]).toEqual([404, 'NamespaceNotFound'])
    }
    await app.put('/v3/namespaces/other')
    const other = '/api/v1/namespaces/other'
    const [target] = (await app.ok('GET', `${other}/deployment-targets`)).items
    const [own] = (await app.ok('GET', 'deployment-targets')).items
    expect(target.metadata.id).not.toBe(own.metadata.id)
    await app.ok('POST', `${other}/deployment-targets`, { metadata: { name: 't' }, spec: { embedded: {} } })
    await app.ok('POST', `${other}/secret-values`, { metadata: { name: 's' }, spec: { value: 'geheim' } })
    await app.ok('PATCH', `${other}/deployment-defaults`, { spec: { state: 'CANCELLED' } })
    const foreign = await app.call('POST', 'deployments', {
      metadata: { name: 'x' },
      spec: { ...cancelled(), deploymentTargetId: target.metadata.id },
    })
    expect(foreign.body.errors).toEqual([
      {
        attribute: 'spec.deploymentTargetId',
        message: `deployment target ${target.metadata.id} does not exist`,
      },
    ])
    expect((await app.delete('/v3/unrecoverable/namespaces/other')).status).toBe(200)
    expect((await app.call('GET', `${other}/secret-values`)).status).toBe(404)
    await app.restart()
    await app.put('/v3/namespaces/other')
    expect((await app.ok('GET', `${other}/secret-values`)).items).toEqual([])
    expect((await app.ok('GET', `${other}/deployment-targets`)).items).toEqual([target])
    expect((await app.ok('GET', `${other}/deployment-defaults`)).spec).toEqual({
      deploymentTargetId: target.metadata.id,
    })
    expect(app.reported).toEqual([])
  })
})
