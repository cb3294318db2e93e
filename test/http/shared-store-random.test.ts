/**
 * Clients of two nodes do random things to streams, each on a random node and one after the other, while the janitors of both nodes
 * run. A model says what each stream holds after each answer.
 */
import { expect, test } from 'vitest'
import { effort, SEED, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts'
import { ON_KAFKA, STREAMS, type TestApp } from '../support/test-app.ts'
import { type TwoNodes, twoNodes } from '../support/two-nodes.ts'

interface Model {
  exists: boolean
  bodies: string[]
  description: string | undefined
  views: Set<string>
}

/** A client that alone uses some streams. */
class Client {
  readonly #apps: readonly TestApp[]
  readonly #random: SeededRandom
  readonly #models = new Map<string, Model>()
  readonly #names: readonly string[]
  #next = 0
  readonly wrong: string[] = []

  constructor({ a, b }: TwoNodes, random: SeededRandom, name: string) {
    this.#apps = [a, b]
    this.#random = random
    this.#names = [`${name}-1`, `${name}-2`]
  }

  async step(): Promise<void> {
    const app = this.#random.pick(this.#apps)
    const name = this.#random.pick(this.#names)
    const model = this.#models.get(name) ?? NONE()
    this.#models.set(name, model)
    const kind = this.#random.whole(0, 19)
    const path = `${STREAMS}/${name}`
    const done = model.exists ? 200 : 404
    if (kind < 6) {
      const body = `${this.#next++}`
      const wasHere = this.#check(name, 'post', (await app.post(path, { body })).status, done)
      if (wasHere && model.exists) model.bodies.push(body)
    } else if (kind < 8) {
      const bodies = Array.from({ length: this.#random.whole(1, 5) }, () => `${this.#next++}`)
      const headers = { 'Content-Type': 'text/plain' }
      const { status } = await app.post(`${path}/batch`, { body: bodies.join('\n'), headers })
      if (this.#check(name, 'batch', status, done) && model.exists) model.bodies.push(...bodies)
    } else if (kind < 12) {
      const answer = await app.get(`${path}/events`)
      const empty = model.exists ? 204 : 404
      this.#check(name, 'read', answer.status, model.bodies.length > 0 ? 200 : empty)
      if (answer.status === 200) {
        const found = (answer.json() as { body: string }[]).map(({ body }) => body)
        this.#check(name, 'bodies', found.join(), model.bodies.join())
      }
    } else if (kind < 15) {
      this.#check(name, 'create', (await app.put(path)).status, 200)
      if (!model.exists) Object.assign(model, NONE(), { exists: true })
    } else if (kind === 15) {
      if (this.#check(name, 'delete', (await app.delete(path)).status, done)) Object.assign(model, NONE())
    } else if (kind === 16) {
      this.#check(name, 'truncate', (await app.post(`${path}/truncate`)).status, done)
      model.bodies = []
    } else if (kind === 17) {
      const description = `${this.#next++}`
      const body = JSON.stringify({ description })
      this.#check(name, 'set', (await app.put(`${path}/properties`, { body })).status, done)
      if (model.exists) model.description = description
    } else if (kind === 18) {
      const view = this.#random.pick(['u', 'v'])
      const body = JSON.stringify({ format: { name: 'text' } })
      const created = model.views.has(view) ? 200 : 201
      const { status } = await app.put(`${path}/views/${view}`, { body })
      this.#check(name, 'view', status, model.exists ? created : 404)
      if (model.exists) model.views.add(view)
    } else {
      const answer = await app.get(path)
      this.#check(name, 'properties', answer.status, done)
      if (answer.status === 200)
        this.#check(
          name,
          'description',
          (answer.json() as { description?: string }).description,
          model.description,
        )
      const views = await app.get(`${path}/views`)
      if (this.#check(name, 'views', views.status, done) && model.exists)
        this.#check(
          name,
          'views',
          `${(views.json() as string[]).toSorted()}`,
          `${[...model.views].toSorted()}`,
        )
    }
  }

  #check(name: string, what: string, got: unknown, wanted: unknown): boolean {
    if (got !== wanted) this.wrong.push(`${what} of ${name}: ${got} instead of ${wanted}`)
    return got === wanted
  }
}

function NONE(): Model {
  return { exists: false, bodies: [], description: undefined, views: new Set() }
}

/** Returns what was wrong. */
async function run(nodes: TwoNodes, steps: number, until: () => boolean = () => false): Promise<string[]> {
  const clients = ['x', 'y', 'z'].map((name, i) => new Client(nodes, seededRandom(SEED + i), name))
  let running = clients.length
  const wrong = () => clients.flatMap((client) => client.wrong)
  await Promise.all([
    ...clients.map(async (client) => {
      for (let i = 0; i < steps && wrong().length === 0 && !until(); i++) await client.step()
      running--
    }),
    ...[nodes.a, nodes.b].map(async (app) => {
      while (running > 0) {
        await app.tidy()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }),
  ])
  return wrong()
}

test('each node shows what all nodes have acknowledged', async () => {
  const steps = effort({ short: 60, long: 4_000 })
  const nodes = await twoNodes({ seed: SEED })
  await proven(async () => expect(await run(nodes, steps)).toEqual([]))
  expect([nodes.a.reported, nodes.b.reported]).toEqual([[], []])
  tellProof('shared store', {
    requests: 3 * steps,
    ...(!ON_KAFKA && { commits: nodes.store.history.length }),
  })
})

test.skipIf(ON_KAFKA)('without barrier and confirmation they do not', async () => {
  const nodes = await twoNodes({ seed: SEED, barrier: false, confirmation: false, lagTurns: 400 })
  expect(await run(nodes, 1_000)).not.toEqual([])
})

test.skipIf(ON_KAFKA)(
  'the janitor of another node goes on when its holder is dead, and two at a time remove nothing that is used',
  async () => {
    const nodes = await twoNodes({ seed: SEED })
    const { store, a, b } = nodes
    await a.put(`${STREAMS}/s`)
    const holder = store.holder('janitor')!.id
    store.bury(holder) // it does not know that yet
    expect(store.holder('janitor')!.id).not.toBe(holder)
    await nodes.coordinated()
    await proven(async () => expect(await run(nodes, effort({ short: 20, long: 1_000 }))).toEqual([]))
    await b.post(`${STREAMS}/s`, { body: '1' })
    await b.post(`${STREAMS}/s/truncate`)
    const used = store.data.logs.size
    await Promise.all([a.tidy(), b.tidy()])
    expect(store.data.logs.size).toBeLessThan(used)
  },
)
