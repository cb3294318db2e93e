/** Slices of the event loop's time go to clients in turn, and those who ask for most give back. */
import { expect, test } from 'vitest'
import { LoopShare } from '../src/loop-share.ts'

/** Work of so many slices, each of which writes the name down. */
function slices(share: LoopShare, client: string, count: number, log: string[]): Promise<void> {
  return share.run(client, async (slice) => {
    for (let i = 0; i < count; i++) {
      log.push(client)
      await slice.next()
    }
  })
}

test('clients have slices in turn, however many tasks they have', async () => {
  const share = new LoopShare()
  const log: string[] = []
  const greedy = Array.from({ length: 8 }, () => slices(share, 'greedy', 4, log))
  await slices(share, 'honest', 4, log)
  expect(log.filter((client) => client === 'greedy').length).toBeLessThanOrEqual(6)
  await Promise.all(greedy)
  expect(log.length).toBe(36)
  expect(share.tasks).toBe(0)
})

test('one slice in each turn of the event loop', async () => {
  const share = new LoopShare()
  let turns = 0
  let isRunning = true
  const turn = () => {
    turns++
    if (isRunning) setImmediate(turn)
  }
  setImmediate(turn)
  const tasks = ['a', 'b', 'c', 'd'].map((client) => slices(share, client, 5, []))
  await Promise.all(tasks)
  isRunning = false
  expect(turns).toBeGreaterThanOrEqual(20)
})

test('with all places taken, the newest waiting work of the client with most is refused', async () => {
  const share = new LoopShare({ tasksMax: 4 })
  const outcomes: string[] = []
  const tell = (name: string, work: Promise<void>) =>
    work.then(
      () => outcomes.push(`${name} done`),
      ({ code }) => outcomes.push(`${name} ${code}`),
    )
  const tasks = [1, 2, 3, 4].map((i) => tell(`greedy ${i}`, slices(share, 'greedy', 2, [])))
  tasks.push(tell('greedy 5', slices(share, 'greedy', 2, [])))
  tasks.push(tell('honest', slices(share, 'honest', 2, [])))
  await Promise.all(tasks)
  expect(outcomes.sort()).toEqual([
    'greedy 1 done',
    'greedy 2 done',
    'greedy 3 done',
    'greedy 4 overloaded',
    'greedy 5 overloaded',
    'honest done',
  ])
  expect(share.tasks).toBe(0)
})

test('while the event loop is delayed a client has eight tasks at most', async () => {
  const share = new LoopShare({ isDelayed: () => true })
  const tasks = await Promise.allSettled(Array.from({ length: 10 }, () => slices(share, 'a', 1, [])))
  expect(tasks.map(({ status }) => status)).toEqual([...Array(8).fill('fulfilled'), 'rejected', 'rejected'])
})

test('work that fails gives its place back', async () => {
  const share = new LoopShare({ tasksMax: 1 })
  for (let i = 0; i < 3; i++) {
    await expect(share.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  }
  expect(share.tasks).toBe(0)
})
