import { describe, expect, test } from 'vitest'
import { FairSemaphore, type Task, type Verdict } from '../src/fair-semaphore.ts'
import { Penalties } from '../src/penalties.ts'

class Probe implements Task {
  readonly client: string
  readonly #log: string[]
  readonly name: string
  suspect = false
  verdict: Verdict | undefined
  preemptions = 0

  constructor(name: string, log: string[]) {
    this.name = name
    this.client = name[0]!
    this.#log = log
  }

  begin(): void {
    this.verdict = undefined
    this.#log.push(this.name)
  }

  preempt(): void {
    this.preemptions++
  }
}

function turnsOf(count: number) {
  const begun: string[] = []
  const penalties = new Penalties()
  const turns = new FairSemaphore(count, penalties)
  const ask = (name: string) => {
    const turn = new Probe(name, begun)
    turns.ask(turn)
    return turn
  }
  return { turns, penalties, begun, ask }
}

describe('permits', () => {
  test('the last one is reserved for a client without any', () => {
    const { begun, ask } = turnsOf(3)
    for (const name of ['a1', 'a2', 'a3', 'b1']) ask(name)
    expect(begun).toEqual(['a1', 'a2', 'b1'])
  })

  test('the client with the fewest is next, of several the one served the longest time ago', () => {
    const { begun, ask, turns } = turnsOf(2)
    const [a1] = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map(ask)
    expect(begun).toEqual(['a1', 'b1'])
    turns.leave(a1!)
    expect(begun).toEqual(['a1', 'b1', 'c1'])
    for (let i = 0; i < 3; i++) turns.leave(turns.running[0]!)
    expect(begun).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  test('a task that leaves while it waits gets none', () => {
    const { begun, ask, turns } = turnsOf(1)
    const [a1, a2] = ['a1', 'a2', 'a3'].map(ask)
    turns.leave(a2!)
    turns.leave(a1!)
    expect(begun).toEqual(['a1', 'a3'])
    expect(turns.waitingOf('a')).toBe(0)
  })

  test('a client with several permits loses one to a client without any', async () => {
    const { ask } = turnsOf(3)
    const [a1, a2, b1, c1] = ['a1', 'a2', 'b1', 'c1'].map(ask)
    await expect.poll(() => a2!.preemptions, { timeout: 3_000 }).toBeGreaterThan(0)
    expect([a1!.preemptions, b1!.preemptions, c1!.preemptions]).toEqual([0, 0, 0])
  })

  test('a client with a penalty waits while other clients are present, and not when it is alone', () => {
    const { begun, ask, turns, penalties } = turnsOf(3)
    penalties.add('a')
    turns.leave(ask('a1'))
    expect(begun).toEqual(['a1'])
    turns.leave(ask('b1'))
    ask('a2')
    expect(begun).toEqual(['a1', 'b1'])
    expect(turns.penaltyMs('a')).toBeGreaterThan(1_000)
    ask('b2')
    expect(begun).toEqual(['a1', 'b1', 'b2'])
  })
})

describe('of tasks that failed together, responsible is', () => {
  test('the only running one', () => {
    const { ask, turns } = turnsOf(3)
    const a1 = ask('a1')
    turns.judge()
    expect(a1.verdict).toBe('guilty')
  })

  test('the one that is known', () => {
    const { ask, turns } = turnsOf(3)
    const [a1, b1] = ['a1', 'b1'].map(ask)
    turns.judge(b1)
    expect([a1!.verdict, b1!.verdict, a1!.suspect]).toEqual(['innocent', 'guilty', false])
  })

  test('else any of them: all are suspects, one suspect runs at a time, and the next failure decides', () => {
    const { ask, turns, begun } = turnsOf(3)
    const both = ['a1', 'b1'].map(ask)
    turns.judge()
    expect(both.map((turn) => [turn.verdict, turn.suspect])).toEqual([
      ['innocent', true],
      ['innocent', true],
    ])
    for (const turn of both) turns.leave(turn)
    begun.length = 0
    for (const turn of both) turns.ask(turn, true)
    const c1 = ask('c1')
    expect(begun).toEqual(['a1', 'c1'])
    turns.judge()
    expect([both[0]!.verdict, c1.verdict, c1.suspect]).toEqual(['guilty', 'innocent', false])
    turns.leave(both[0]!)
    expect(begun).toEqual(['a1', 'c1', 'b1'])
  })

  test('none of them, if none is known to be responsible', () => {
    const { ask, turns } = turnsOf(3)
    const a1 = ask('a1')
    turns.judge('none')
    expect(a1.verdict).toBe('innocent')
  })
})
