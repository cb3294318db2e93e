/**
 * Random runs of everything that can be done to a log, and to the service, against a model of a few lines each, which says
 * what must be seen.
 *
 * A failure prints the steps of its run, shrunk, as JSON: put them into model/corpus.json as `{"steps":[…]}`, or its seed as
 * `{"seed":"…"}`, and say in `why` what it was. The corpus is run first, every time; steps outlive changes of how runs are made.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.ts'
import { startTestApp, type TestApp } from '../support/test-app.ts'
import { inMemory, onDisk } from './model/engines.ts'
import * as service from './model/service-run.ts'
import { type ServiceStep, serviceStep } from './model/service-steps.ts'
import * as storage from './model/storage-run.ts'
import { type StorageStep, storageStep } from './model/storage-steps.ts'

/** Long enough for the janitor to have work, short enough to be read when they fail. */
const STEPS_MAX = 60

interface CorpusEntry {
  readonly why: string
  readonly steps?: readonly unknown[]
  readonly seed?: string
}

const corpus = JSON.parse(readFileSync(new URL('model/corpus.json', import.meta.url), 'utf8')) as Record<
  'storage' | 'service',
  readonly CorpusEntry[]
>

type StorageRun = Iterable<fc.AsyncCommand<storage.Expected, storage.Engine>>
type ServiceRun = Iterable<fc.AsyncCommand<service.ExpectedService, TestApp>>

const storageRuns: fc.Arbitrary<StorageRun> = fc.commands(
  [storageStep.map((step) => new storage.StorageCommand(step))],
  { maxCommands: STEPS_MAX, size: 'max' },
)
const serviceRuns: fc.Arbitrary<ServiceRun> = fc.commands(
  [serviceStep.map((step) => new service.ServiceCommand(step))],
  { maxCommands: STEPS_MAX, size: 'max' },
)

const engines = [
  { name: 'LevelDB in memory', open: inMemory, longSeconds: 110 },
  { name: 'LevelDB on disk', open: onDisk, longSeconds: 80 },
]

test.each(engines)(
  'a log on $name is what the model says',
  async ({ name, open, longSeconds }) => {
    let steps = 0
    await fuzz(`model of a log, ${name}`, {
      input: storageRuns,
      corpus: stepsOf(corpus.storage).map((all) =>
        all.map((step) => new storage.StorageCommand(step as StorageStep)),
      ),
      seeds: seedsOf(corpus.storage),
      longSeconds,
      inputsPerRound: 5,
      unbiased: true,
      tell: () => ({ steps }),
      async check(run) {
        const model = storage.nothingYet()
        const engine = await open(() => model.nowMs)
        try {
          const commands = counted(run, () => steps++)
          await fc.asyncModelRun(() => ({ model, real: engine }), commands)
          await storage.finish(model, engine)
        } finally {
          await engine.close()
        }
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

const services = [
  { name: 'in memory', onDisk: false, longSeconds: 80 },
  { name: 'on disk', onDisk: true, longSeconds: 30 },
]

test.each(services)(
  'the service $name is what the model says',
  async ({ name, onDisk, longSeconds }) => {
    let steps = 0
    await fuzz(`model of the service, ${name}`, {
      input: serviceRuns,
      corpus: stepsOf(corpus.service).map((all) =>
        all.map((step) => new service.ServiceCommand(step as ServiceStep)),
      ),
      seeds: seedsOf(corpus.service),
      longSeconds,
      inputsPerRound: 5,
      unbiased: true,
      tell: () => ({ steps }),
      async check(run) {
        const app = await startTestApp({ onDisk })
        try {
          await service.prepare(app)
          const model = service.noStreams()
          const commands = counted(run, () => steps++)
          await fc.asyncModelRun(() => ({ model, real: app }), commands)
          await service.finish(model, app)
        } finally {
          await app.stop()
        }
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test('the corpus says of every entry what it is for', () => {
  const entries = [...corpus.storage, ...corpus.service]
  expect(
    entries.filter(({ why, steps, seed }) => why === '' || (steps === undefined) === (seed === undefined)),
  ).toEqual([])
})

function stepsOf(entries: readonly CorpusEntry[]): (readonly unknown[])[] {
  return entries.flatMap(({ steps }) => (steps === undefined ? [] : [steps]))
}

function seedsOf(entries: readonly CorpusEntry[]): string[] {
  return entries.flatMap(({ seed }) => (seed === undefined ? [] : [seed]))
}

function* counted<T>(run: Iterable<T>, count: () => void): Generator<T> {
  for (const command of run) {
    count()
    yield command
  }
}
