/**
 * Every state of a deployment, every request, and what must hold at the end, also if the process ends at any point between.
 */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { goalOf, PHASES, type Phase, phaseOf } from '../../src/deployments/reconciler/phases.ts'
import type { DeploymentSpec } from '../../src/deployments/resources.ts'
import { isTerminal } from '../../src/jobs/job.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import { type Crash, DeploymentsRun, otherTemplate, specOf } from './reconciler-run.ts'

const NS = DEFAULT_NAMESPACE

export interface StartState {
  readonly name: string
  readonly enter: (run: DeploymentsRun) => Promise<void>
  /** The rows that were emitted must not be emitted again, unless the request drops the state. */
  readonly keepsState: boolean
}

const running = async (run: DeploymentsRun) => {
  await run.request(specOf())
  await run.pass(() => run.deployment.status.state === 'RUNNING' && run.disk.emitted.length >= 3)
}

/** After `first`, a request that is held in the middle. */
const held =
  (spec: (before: DeploymentSpec) => DeploymentSpec, holds: 'holdsOrders' | 'holdsCancels', until: string) =>
  async (run: DeploymentsRun) => {
    await running(run)
    run.script[holds] = true
    await run.request(spec(run.deployment.spec))
    await run.pass(() => phaseNow(run) === until)
  }

export function phaseNow(run: DeploymentsRun): Phase {
  return sightOf(run).phase
}

export const STATES: readonly StartState[] = [
  { name: 'new', keepsState: true, enter: async () => {} },
  {
    name: 'starting',
    keepsState: true,
    async enter(run) {
      run.script.holdsStarts = true
      await run.request(specOf())
      await run.pass(() => phaseNow(run) === 'starting')
    },
  },
  { name: 'running', keepsState: true, enter: running },
  {
    name: 'restarting',
    keepsState: true,
    async enter(run) {
      await running(run)
      run.script.failsNow = 'passing'
      run.script.failsStarts = 'passing'
      await run.pass(() => phaseNow(run) === 'restarting')
      run.script.failsNow = undefined
    },
  },
  {
    name: 'suspending',
    keepsState: true,
    enter: held((spec) => ({ ...spec, state: 'SUSPENDED' }), 'holdsOrders', 'saving'),
  },
  {
    name: 'suspending again after a failed savepoint',
    keepsState: true,
    async enter(run) {
      await running(run)
      run.script.failsOrders = true
      await run.request({ ...run.deployment.spec, state: 'SUSPENDED' })
      await run.pass(() => phaseNow(run) === 'unsaved')
    },
  },
  {
    name: 'suspended',
    keepsState: true,
    async enter(run) {
      await running(run)
      await run.request({ ...run.deployment.spec, state: 'SUSPENDED' })
      await run.reaches('SUSPENDED')
    },
  },
  {
    name: 'upgrading',
    keepsState: true,
    enter: held((spec) => otherTemplate(spec, '0'), 'holdsOrders', 'saving'),
  },
  {
    name: 'cancelling',
    keepsState: true,
    enter: held((spec) => ({ ...spec, state: 'CANCELLED' }), 'holdsCancels', 'terminating'),
  },
  {
    name: 'cancelled',
    keepsState: true,
    async enter(run) {
      await running(run)
      await run.request({ ...run.deployment.spec, state: 'CANCELLED' })
      await run.reaches('CANCELLED')
    },
  },
  {
    name: 'between two attempts',
    keepsState: true,
    async enter(run) {
      await running(run)
      run.script.failsNow = 'lasting'
      await run.pass(() => phaseNow(run) === 'delayed')
      run.script.failsNow = undefined
    },
  },
  {
    name: 'failed',
    keepsState: false,
    async enter(run) {
      run.script.failsStarts = 'lasting'
      await run.request(specOf())
      await run.reaches('FAILED')
    },
  },
  {
    name: 'finished',
    keepsState: false,
    async enter(run) {
      run.script.endsAt = 3
      await run.request(specOf())
      await run.reaches('FINISHED')
    },
  },
]

export interface Request {
  readonly name: string
  readonly spec: (before: DeploymentSpec) => DeploymentSpec
  readonly ends: 'RUNNING' | 'SUSPENDED' | 'CANCELLED'
  readonly dropsState: boolean
}

export const REQUESTS: readonly Request[] = [
  {
    name: 'RUNNING',
    ends: 'RUNNING',
    dropsState: false,
    spec: (spec) => ({ ...spec, state: 'RUNNING', kept: 1 }),
  },
  {
    name: 'SUSPENDED',
    ends: 'SUSPENDED',
    dropsState: false,
    spec: (spec) => ({ ...spec, state: 'SUSPENDED' }),
  },
  {
    name: 'CANCELLED',
    ends: 'CANCELLED',
    dropsState: false,
    spec: (spec) => ({ ...spec, state: 'CANCELLED' }),
  },
  {
    name: 'another template, STATEFUL',
    ...{ ends: 'RUNNING', dropsState: false },
    spec: (spec) => otherTemplate({ ...spec, state: 'RUNNING' }),
  },
  {
    name: 'another template, STATELESS',
    ...{ ends: 'RUNNING', dropsState: false },
    spec: (spec) => otherTemplate({ ...spec, state: 'RUNNING', upgradeStrategy: { kind: 'STATELESS' } }),
  },
  {
    name: 'another template, NONE',
    ...{ ends: 'RUNNING', dropsState: false },
    spec: (spec) => otherTemplate({ ...spec, state: 'RUNNING', upgradeStrategy: { kind: 'NONE' } }),
  },
]

export interface CaseResult {
  readonly points: readonly string[]
  /** What the reconciler went through after the request. */
  readonly cells: ReadonlySet<string>
}

/** Enters the state, sends the request, ends the process at the point, and checks the end. */
export async function runCase(state: StartState, request: Request, crash?: Crash): Promise<CaseResult> {
  const run = await DeploymentsRun.begin()
  try {
    await state.enter(run)
    const before = run.id === '' ? { ...specOf(), state: 'CANCELLED' as const } : run.deployment.spec
    const wanted = request.spec(before)
    const cells = new Set<string>()
    run.watch = () => watch(run, cells)
    run.arm(crash)
    void run.request(wanted)
    await run.pass(() => run.accepted)
    const { script } = run
    Object.assign(script, { ...script, ...RELEASED })
    const done = () =>
      run.accepted &&
      run.deployment.status.state === request.ends &&
      run.deployment.spec.state === wanted.state
    await run.pass(() => done() && isQuiet(run))
    if (run.crashed) {
      await run.restart()
      if (!run.accepted) await run.request(wanted)
      await run.pass(() => done() && isQuiet(run))
    }
    const points = [...run.points]
    await assertEnd(run, state, request, wanted)
    return { points, cells }
  } finally {
    run.end()
  }
}

const RELEASED = {
  ...{ holdsStarts: false, holdsOrders: false, holdsCancels: false, failsStarts: undefined },
  ...{ failsOrders: false, failsNow: undefined, endsAt: Number.POSITIVE_INFINITY },
}

function sightOf(run: DeploymentsRun) {
  const { deployment, store, jobs } = run
  const job = store.jobs(NS, run.id).findLast(({ metadata }) => metadata.terminatedMs === undefined)
  const view = job && jobs.find(job.jid)
  const savepoint = job && store.savepoints(NS, run.id).find((one) => one.status.state === 'STARTED')
  let operation: ReturnType<typeof jobs.operation> | undefined
  try {
    operation = savepoint && jobs.operation(NS, job.jid, savepoint.triggerId!)
  } catch {} // the job has no such order
  const phase = phaseOf({ deployment, job, view, savepoint, operation, nowMs: run.clock.nowMs })
  return { phase, goal: goalOf(deployment) }
}

/** At most one job at any time. */
function watch(run: DeploymentsRun, cells: Set<string>): void {
  expect(run.engine.running.size).toBeLessThanOrEqual(1)
  expect(run.jobs.live().length).toBeLessThanOrEqual(1)
  const { goal, phase } = sightOf(run)
  cells.add(`${goal}/${phase}`)
}

function isQuiet(run: DeploymentsRun): boolean {
  const { goal, phase } = sightOf(run)
  return goal === 'rest' ? phase === 'none' : phase === 'running'
}

async function assertEnd(
  run: DeploymentsRun,
  state: StartState,
  request: Request,
  wanted: DeploymentSpec,
): Promise<void> {
  const { store, jobs, disk } = run
  const resources = store.jobs(NS, run.id)
  const live = resources.filter(({ metadata }) => metadata.terminatedMs === undefined)
  const isRunning = request.ends === 'RUNNING'
  expect(live.map(({ status }) => status.state)).toEqual(isRunning ? ['STARTED'] : [])
  const known = new Set(resources.map(({ jid }) => jid))
  for (const { jid, state: own } of jobs.all()) {
    expect(known.has(jid), `job ${jid} is of the deployment`).toBe(true)
    expect(isTerminal(own)).toBe(jid !== live[0]?.jid)
  }
  if (request.name.endsWith('STATEFUL') || request.name.endsWith('STATELESS'))
    expect(live[0]!.spec.flinkConfiguration).toEqual(wanted.template.spec.flinkConfiguration)
  const savepoints = store.savepoints(NS, run.id)
  expect(savepoints.filter(({ status }) => status.state === 'STARTED')).toEqual([])
  const places = savepoints.flatMap(({ spec }) => spec.savepointLocation ?? [])
  expect(new Set(places).size).toBe(places.length)
  expect([...places].sort()).toEqual(
    disk.savepoints
      .filter((one) => existsSync(one))
      .map((one) => pathToFileURL(one).href)
      .sort(),
  )
  const count = (name: string) => run.events.filter((event) => event === name).length
  expect(count('STATE_TRANSITION_IS_COMPLETED')).toBe(count('STATE_TRANSITION_IS_NEEDED'))
  expect(count('CREATING_A_NEW_JOB')).toBe(resources.length)
  if (state.keepsState && !request.dropsState) await assertOnce(run)
  expect(run.reported).toEqual([])
}

/** What was emitted, and what is after another start, is each number once. */
async function assertOnce(run: DeploymentsRun): Promise<void> {
  if (run.deployment.status.state !== 'RUNNING') {
    await run.request({ ...run.deployment.spec, state: 'RUNNING' })
    await run.reaches('RUNNING')
  }
  const { emitted } = run.disk
  const before = emitted.length
  await run.pass(() => emitted.length > before + 1)
  expect(emitted.map(({ number }) => number)).toEqual(emitted.map((_, index) => index))
  expect(run.disk.begun.length).toBe(1)
}

export { PHASES }
