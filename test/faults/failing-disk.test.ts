/**
 * Disks that fail under a running service: calls that report an error (strace), and a file system that is full (tmpfs).
 * What failed is never acknowledged, what was acknowledged is never lost or doubled, reads go on, /status says what is
 * wrong, and when the disk takes writes again the service does, too, without a restart.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { SmallDisk } from './disk/small-disk.ts'
import { currentWal, type Fault, injectFault, straceProblem } from './disk/strace.ts'
import { createStreams, readStreams, truncateStream, writersOf } from './writers/crew.ts'
import { Ledger, type Sent, settle } from './writers/ledger.ts'
import {
  acknowledgeOne,
  pathOf,
  type Refusals,
  type WriterKind,
  writePersistently,
} from './writers/writers.ts'

const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const TIMEOUT_MS = 840_000
const SOON = { timeout: 180_000, interval: 50 }
const STREAMS = ['north', 'East']
/** LevelDB never reads these files. */
const PROBED = 'probed'
const KINDS: readonly WriterKind[] = ['single', 'single', 'async', 'batch', 'large batch']
/** LevelDB keeps its log of the moment for a while. */
const SMALL_KINDS: readonly WriterKind[] = ['single', 'single', 'async', 'batch']
const MIB = 1024 * 1024

const noStrace = await straceProblem()

/** Writers that do not give up, and what they were answered. */
class Writing {
  readonly ledger = new Ledger()
  readonly refusals: Refusals = { unavailable: 0, low: 0 }
  readonly #random = seededRandom(SEED)
  readonly #port: number
  #round = 0
  #ended = false
  #writing: Promise<string[][]> = Promise.resolve([])

  constructor({ port }: ServiceProcess) {
    this.#port = port
  }

  begin(kinds = KINDS): void {
    this.#ended = false
    this.#round++
    this.#writing = Promise.all(
      writersOf(this.#round, STREAMS, kinds).map((writer) =>
        writePersistently(
          writer,
          this.#port,
          this.ledger,
          seededRandom(this.#random.whole(0, 2 ** 32 - 1)),
          this.refusals,
          () => this.#ended,
        ),
      ),
    )
  }

  get acknowledged(): number {
    return [...this.ledger.all()].filter(({ fate }) => fate === 'acknowledged').length
  }

  async end(): Promise<void> {
    this.#ended = true
    expect((await this.#writing).flat()).toEqual([])
  }

  /** While writes are refused: what was acknowledged can be read. */
  async expectReadable(port: number): Promise<void> {
    const acknowledged = [...this.ledger.all()].filter(({ fate }) => fate === 'acknowledged')
    const { problems, found } = await readStreams(port, STREAMS, this.ledger)
    await proven(() => expect([...problems, ...missingOf(acknowledged, found)], `seed ${SEED}`).toEqual([]))
  }

  /** Nothing acknowledged is missing, nothing is there twice, nothing that was refused for want of disk space is there. */
  async settled(port: number) {
    const { problems, found } = await readStreams(port, STREAMS, this.ledger)
    const { problems: others, counts } = settle(this.ledger, found)
    await proven(() => expect([...problems, ...others], `seed ${SEED}`).toEqual([]))
    return counts
  }
}

function missingOf(sent: readonly Sent[], found: ReadonlySet<Sent>): string[] {
  return sent.filter((one) => !found.has(one)).map(({ writer, number }) => `${writer}#${number} is not there`)
}

async function statusOf({ base }: ServiceProcess): Promise<string> {
  const response = await fetch(`${base}/status`)
  return `${response.status} ${await response.text()}`
}

/** The answer to an event that cannot be stored. */
async function refusalOf({ base }: ServiceProcess) {
  const response = await fetch(`${base}${pathOf(PROBED)}`, { method: 'POST', body: 'x' })
  return [response.status, response.headers.get('retry-after'), await response.text()]
}

interface FaultCase {
  readonly name: string
  readonly fault: Omit<Fault, 'path'>
  /** Whether only LevelDB's log of the moment is concerned, or every file. */
  readonly everywhere?: boolean
  readonly sentence: RegExp
}
const faults: readonly FaultCase[] = [
  {
    name: 'fdatasync of the log reports EIO',
    fault: { calls: 'fdatasync', error: 'EIO' },
    sentence: /Input\/output error/,
  },
  {
    name: 'write to the log reports ENOSPC',
    fault: { calls: 'write', error: 'ENOSPC' },
    sentence: /No space left on device/,
  },
  {
    name: 'every sync of every file reports EIO for a while',
    fault: { calls: 'fsync,fdatasync', error: 'EIO' },
    everywhere: true,
    sentence: /Input\/output error|EIO: i\/o error/, // LevelDB's word, or node's where a folder is synced
  },
  {
    name: 'write to the log reports EIO',
    fault: { calls: 'write', error: 'EIO' },
    sentence: /Input\/output error/,
  },
]

test.for(faults.slice(0, effort({ short: 3, long: faults.length })))(
  '$name',
  { timeout: TIMEOUT_MS },
  async ({ name, fault, everywhere = false, sentence }, { skip }) => {
    if (noStrace !== undefined) skip(noStrace)
    const folder = await temporaryFolder()
    const service = await startServiceProcess(folder)
    await createStreams(service.port, [...STREAMS, PROBED])
    const writing = new Writing(service)
    writing.begin(everywhere ? KINDS : SMALL_KINDS)
    await vi.waitUntil(() => writing.acknowledged > 50, SOON)
    const path = everywhere ? {} : { path: currentWal(folder) }
    const injected = await injectFault(service.pid, { ...fault, ...path })
    // A slow machine is also overloaded, which is answered 503 too.
    await vi.waitUntil(() => writing.refusals.unavailable > 0 && sentence.test(service.stderr), SOON)
    if (everywhere) {
      // It stays so, and is not opened in vain: reads go on.
      await vi.waitUntil(async () => /the last try: /.test(await statusOf(service)), SOON)
      await expect.poll(() => refusalOf(service), SOON).toEqual([503, '5', expect.stringMatching(sentence)])
      expect(await statusOf(service)).toMatch(/^503 writes are refused since one failed \(.*until the disk/)
      await writing.end()
      await writing.expectReadable(service.port)
      await injected.end()
    }
    await vi.waitUntil(() => /the store has been opened again, and takes writes/.test(service.stderr), SOON)
    await vi.waitUntil(async () => (await statusOf(service)) === '200 OK.\n', SOON)
    if (!everywhere) await writing.end()
    for (const stream of STREAMS) await acknowledgeOne(service.port, stream, 'after', writing.ledger)
    if (!everywhere) await injected.end()

    const counts = await writing.settled(service.port)
    await service.kill()
    const again = await startServiceProcess(folder)
    await writing.settled(again.port)
    tellProof(`failing disk, ${name}`, {
      acknowledged: counts.acknowledged,
      'answered 503': counts.refused,
      'of which stored': counts.refusedFound,
      'lost or doubled': 0,
    })
  },
)

test('a disk that is full', { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const disk = await SmallDisk.mount(96)
  if (typeof disk === 'string') return skip(disk)
  const folder = join(disk.folder, 'data')
  mkdirSync(folder)
  disk.fill(70)
  const service = await startServiceProcess(folder, { args: ['--janitor-seconds', '1'] })
  try {
    await createStreams(service.port, [...STREAMS, PROBED])
    const writing = new Writing(service)
    const rounds = effort({ short: 1, long: 6 })
    const totals = { acknowledged: 0, refused: 0, stored: 0 }
    for (let round = 1; round <= rounds; round++) {
      const before = writing.refusals.unavailable
      writing.begin()
      await vi.waitUntil(async () => writing.refusals.unavailable > before, SOON)
      await expect
        .poll(() => refusalOf(service), SOON)
        .toEqual([503, '5', expect.stringMatching(/^the disk is full: /)])
      await expect
        .poll(() => statusOf(service), SOON)
        .toMatch(/^503 writes are refused since one failed \(the disk is full: /)
      await writing.end()
      await writing.expectReadable(service.port)

      disk.clear()
      await vi.waitUntil(async () => (await statusOf(service)) === '200 OK.\n', SOON)
      const counts = await writing.settled(service.port)
      totals.acknowledged += counts.acknowledged
      totals.refused += counts.refused
      totals.stored += counts.refusedFound
      for (const stream of STREAMS) {
        await acknowledgeOne(service.port, stream, `after${round}`, writing.ledger)
        await truncateStream(service.port, stream, writing.ledger)
      }
      await vi.waitUntil(() => disk.freeBytes > 75 * MIB, SOON) // the janitor frees what was truncated
      disk.fill(70)
    }
    tellProof('full disk', {
      'times full': rounds,
      acknowledged: totals.acknowledged,
      'answered 503': totals.refused,
      'of which stored': totals.stored,
      'lost or doubled': 0,
    })
  } finally {
    await service.kill()
  }
})

test('a full disk that has a little space again takes the truncation that frees more', {
  timeout: TIMEOUT_MS,
}, async ({ skip }) => {
  const disk = await SmallDisk.mount(96)
  if (typeof disk === 'string') return skip(disk)
  disk.fill(24)
  const service = await startServiceProcess(join(disk.folder, 'data'), {
    args: ['--janitor-seconds', '1', '--min-free-disk', '0'],
  })
  try {
    await createStreams(service.port, [...STREAMS, PROBED])
    const writing = new Writing(service)
    writing.begin()
    await vi.waitUntil(async () => writing.refusals.unavailable > 0, SOON)
    await writing.end()
    expect(await statusOf(service)).toMatch(/^503 writes are refused since one failed \(the disk is full: /)
    disk.clear()
    const free = Math.floor(disk.freeBytes / MIB)
    expect(free).toBeLessThan(32)
    // LevelDB begins to compact when it is opened, and may fail again: a client that retries succeeds.
    for (const stream of STREAMS) {
      const truncated = () => truncateStream(service.port, stream, writing.ledger)
      await vi.waitUntil(
        () =>
          truncated().then(
            () => true,
            () => false,
          ),
        SOON,
      )
    }
    await vi.waitUntil(() => disk.freeBytes > 75 * MIB, SOON)
    await vi.waitUntil(async () => (await statusOf(service)) === '200 OK.\n', SOON)
    for (const stream of STREAMS) await acknowledgeOne(service.port, stream, 'after', writing.ledger)
    const counts = await writing.settled(service.port)
    tellProof('full disk with a little space', {
      'free, MiB': free,
      acknowledged: counts.acknowledged,
      'lost or doubled': 0,
    })
  } finally {
    await service.kill()
  }
})

test('with --min-free-disk the disk does not become full', { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const disk = await SmallDisk.mount(96)
  if (typeof disk === 'string') return skip(disk)
  const service = await startServiceProcess(join(disk.folder, 'data'), {
    args: ['--janitor-seconds', '1', '--min-free-disk', String(60 * MIB)],
  })
  try {
    await createStreams(service.port, [...STREAMS, PROBED])
    const writing = new Writing(service)
    writing.begin()
    await vi.waitUntil(async () => writing.refusals.low > 10, SOON)
    // LevelDB frees a little now and then, and it is taken up again.
    await vi.waitUntil(
      async () => /^503 events are refused: the disk has /.test(await statusOf(service)),
      SOON,
    )
    const refused = await vi.waitUntil(async () => {
      const refusal = await refusalOf(service)
      return refusal[0] === 507 && refusal
    }, SOON)
    expect(refused).toEqual([
      507,
      '30',
      expect.stringMatching(/^the disk has [0-9]+ bytes free, and 62914560 /),
    ])
    await writing.end()
    expect(writing.refusals.unavailable).toBe(0)
    const least = disk.freeBytes
    expect(least).toBeGreaterThan(0)
    const counts = await writing.settled(service.port)

    for (const stream of STREAMS) await truncateStream(service.port, stream, writing.ledger)
    await vi.waitUntil(async () => (await statusOf(service)) === '200 OK.\n', SOON)
    for (const stream of STREAMS) await acknowledgeOne(service.port, stream, 'after', writing.ledger)
    await writing.settled(service.port)
    tellProof('watermark', {
      'mark, MiB': 60,
      'least that was free, MiB': Math.floor(least / MIB),
      acknowledged: counts.acknowledged,
      'answered 507': writing.refusals.low,
      'of which stored': 0,
    })
  } finally {
    await service.kill()
  }
})
