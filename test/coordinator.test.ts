/** The modules of one node at a time follow the lease. */
import { expect, test } from 'vitest'
import { Coordinator } from '../src/coordinator.ts'
import { settled } from './support/jobs.ts'

function setup() {
  const events: string[] = []
  const waiting: (() => void)[] = []
  let failures = 0
  let loads = 0
  const step = (text: string) =>
    new Promise<void>((resolve) => {
      events.push(text)
      waiting.push(resolve)
    })
  const coordinator = new Coordinator<string>({
    async load() {
      const name = `m${++loads}`
      await step(`load ${name}`)
      if (failures-- > 0) throw new Error('no catalog')
      return name
    },
    close: (name) => step(`close ${name}`),
    started: (name) => void events.push(`started ${name}`),
    report: (error) => void events.push(`reported ${(error as Error).message}`),
  })
  return {
    coordinator,
    events,
    fail: (times: number) => {
      failures = times
    },
    async pass() {
      waiting.shift()?.()
      await settled()
    },
  }
}

test('modules are loaded with the lease, started when requests are answered, and closed when it is lost', async () => {
  const { coordinator, events, pass } = setup()
  coordinator.gained(1)
  expect(coordinator.modules).toBeUndefined()
  await pass()
  expect(coordinator.modules).toBe('m1')
  coordinator.start()
  coordinator.lost()
  expect(coordinator.modules).toBeUndefined() // before they are closed
  await pass()
  coordinator.gained(3)
  await settled()
  await pass()
  expect(coordinator.modules).toBe('m2')
  expect(events).toEqual(['load m1', 'started m1', 'close m1', 'load m2', 'started m2'])
})

test('a lease that is lost and gained while modules load: they are closed, and loaded again', async () => {
  const { coordinator, events, pass } = setup()
  coordinator.start()
  coordinator.gained(1)
  coordinator.lost()
  coordinator.gained(2)
  await pass()
  expect(coordinator.modules).toBeUndefined()
  await pass()
  await pass()
  expect(coordinator.modules).toBe('m2')
  expect(events).toEqual(['load m1', 'close m1', 'load m2', 'started m2'])
})

test('a term that follows another one without a loss between them', async () => {
  const { coordinator, events, pass } = setup()
  coordinator.gained(1)
  await pass()
  coordinator.gained(2)
  expect(coordinator.modules).toBeUndefined()
  await settled()
  await pass()
  await pass()
  expect(coordinator.modules).toBe('m2')
  expect(events).toEqual(['load m1', 'close m1', 'load m2'])
})

test('modules that cannot be loaded are tried again, unless the lease is lost', async () => {
  const { coordinator, events, pass, fail } = setup()
  fail(1)
  coordinator.gained(1)
  await pass()
  expect(events).toEqual(['load m1', 'reported no catalog'])
  coordinator.lost()
  await settled()
  coordinator.gained(2)
  await settled()
  await pass()
  expect(coordinator.modules).toBe('m2')
})

test('a stop closes the modules, and no lease loads them again', async () => {
  const { coordinator, events, pass } = setup()
  coordinator.gained(1)
  await pass()
  const stopped = coordinator.stop()
  await settled()
  await pass()
  await stopped
  coordinator.gained(2)
  await settled()
  expect([coordinator.modules, events]).toEqual([undefined, ['load m1', 'close m1']])
})

test.each([0, 1, 2, 3, 4, 5])(
  'a lease that is lost %i microtasks after a load closes the modules',
  async (turns) => {
    let loaded = () => {}
    let isClosed = false
    const coordinator = new Coordinator<string>({
      load: () => new Promise((resolve) => (loaded = () => resolve('m'))),
      close: async () => {
        isClosed = true
      },
      started() {},
      report() {},
    })
    coordinator.gained(1)
    await settled()
    loaded()
    for (let i = 0; i < turns; i++) await null
    coordinator.lost()
    await settled()
    expect(isClosed).toBe(true)
  },
)
