/**
 * The drill: a service takes events of all kinds, its streams are exported while it runs, it is killed, its store is backed up
 * and verified, and both ways back are gone: the backup is started as it is, the exports are imported into a fresh store.
 * Every stream then reads as it did, byte for byte, with headers, order and times.
 */

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import {
  runCli,
  type ServiceProcess,
  startServiceProcess,
  temporaryFolder,
} from '../support/service-process.ts'

const EVENTS = effort({ short: 200, long: 2_000 })
/** Sent at the same time: they share the fsync. */
const AT_ONCE = 20
const UPLOAD_LINES = effort({ short: 12_000, long: 100_000 })

const STREAMS = ['default:bytes', 'default:uploads', 'default:empty', 'weather:rain'] as const

function pathOf(stream: string): string {
  const [namespace, name] = stream.split(':')
  return `/v3/namespaces/${namespace}/streams/${name}`
}

async function send(
  url: string,
  body: string | Uint8Array = '',
  headers: Record<string, string> = {},
  method = 'POST',
) {
  const response = await fetch(url, { method, body, headers })
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)])
}

async function fill({ base }: ServiceProcess): Promise<void> {
  const random = seededRandom(4)
  await send(`${base}/v3/namespaces/weather`, '', {}, 'PUT')
  for (const stream of STREAMS) await send(`${base}${pathOf(stream)}`, '', {}, 'PUT')
  const upload = Array.from({ length: UPLOAD_LINES }, (_, i) => `line ${i} `.padEnd(100, '.')).join('\n')
  const sendOne = async (i: number) => {
    const body = Buffer.from(Array.from({ length: random.whole(0, 300) }, () => random.whole(0, 255)))
    await send(
      `${base}${pathOf('default:bytes')}`,
      body,
      i % 5 === 0 ? { 'bytes.10': `${i}`, 'bytes.2': 'é' } : {},
    )
    await send(`${base}${pathOf('weather:rain')}`, `drop ${i}: "é" \u2028 \\x05`)
    if (i % 100 !== 0) return
    const url = `${base}${pathOf('default:uploads')}/batch`
    await send(url, i === 100 ? upload : `a\nb ${i}\r\nc`, {
      'Content-Type': 'text/plain',
      'uploads.n': `${i}`,
    })
  }
  for (let i = 0; i < EVENTS; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, j) => sendOne(i + j)))
  }
}

/** The answer as it is, in a file. */
async function save({ base }: ServiceProcess, stream: string, what: string, file: string): Promise<Buffer> {
  const response = await fetch(`${base}${pathOf(stream)}/${what}`)
  expect([200, 204]).toContain(response.status)
  if (response.body === null) return Buffer.alloc(0)
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file))
  return readFile(file)
}

interface Reading {
  readonly bytes: number
  /** By stream and kind of answer: a digest of the answer without its cursors, for the answers are long. */
  readonly withoutCursors: ReadonlyMap<string, string>
}

async function everything(service: ServiceProcess, folder: string): Promise<Reading> {
  const withoutCursors = new Map<string, string>()
  let bytes = 0
  for (const stream of STREAMS) {
    const file = join(folder, `${stream.replace(':', '.')}`)
    const answers = {
      events: await save(service, stream, 'events?encoding=base64', `${file}.json`),
      export: await save(service, stream, 'export', `${file}.ndjson`),
    }
    for (const [kind, answer] of Object.entries(answers)) {
      bytes += answer.length
      // A cursor names the store, which is another one afterwards.
      const text = answer.toString('latin1').replace(/,"cursor":"[^"]*"/, '')
      withoutCursors.set(`${stream} ${kind}`, digestOf(text))
    }
  }
  return { bytes, withoutCursors }
}

function digestOf(answer: string): string {
  return `${answer.length} ${createHash('sha256').update(answer).digest('hex')}`
}

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli({ args })
  expect([code, stderr], args.join(' ')).toEqual([0, ''])
  return stdout
}

test('exported, killed, backed up, restored in both ways: every stream reads as it did', {
  timeout: 540_000,
}, async () => {
  const folder = await temporaryFolder()
  const [data, copy, fresh] = ['data', 'copy', 'fresh'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const service = await startServiceProcess(data)
  await fill(service)
  const before = await everything(service, folder)

  const busy = await runCli({ args: ['verify', '--data', data] })
  expect([busy.code, busy.stderr]).toEqual([
    2,
    expect.stringMatching(/is in use by another process; stop it first/),
  ])
  await service.kill()

  expect(await run('verify', '--data', data)).toMatch(/\nsound\n$/)
  expect(await run('backup', '--data', data, '--to', copy)).toMatch(/\nsound\n$/)
  const fromBackup = await startServiceProcess(copy)
  const fromCopy = await everything(fromBackup, folder)
  await proven(() => expect(fromCopy.withoutCursors).toEqual(before.withoutCursors))
  await fromBackup.stop()

  const imports: string[] = []
  for (const stream of STREAMS) {
    const file = join(folder, `${stream.replace(':', '.')}.ndjson`)
    imports.push(await run('import', '--data', fresh, '--stream', stream, '--file', file))
  }
  expect(await run('verify', '--data', fresh)).toMatch(/\nsound\n$/)
  const restored = await startServiceProcess(fresh)
  const imported = await everything(restored, folder)
  await proven(() => expect(imported.withoutCursors).toEqual(before.withoutCursors))
  await restored.stop()

  const counts = imports.map((line) => Number(/(\d+) events? imported/.exec(line)![1]))
  tellProof('restore drill', {
    events: counts.reduce((sum, count) => sum + count),
    bytes: before.bytes,
    lost: 0,
  })
})
