/** Audit lines: their content, their limit, and that clients cannot forge one. */
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AuditFile } from '../../src/audit/audit-file.ts'
import { type AuditEntry, AuditLog } from '../../src/audit/audit-log.ts'
import { temporaryFolder } from '../support/service-process.ts'

const ENTRY: AuditEntry = {
  action: 'stream.create',
  client: 'shop',
  from: '10.0.0.7:40312',
  namespace: 'default',
  stream: 'orders',
  status: 200,
}

function auditLog() {
  const lines: string[] = []
  const clock = { nowMs: 1_800_000_000_000 }
  const audit = new AuditLog({ nowMs: () => clock.nowMs, write: (line) => lines.push(line) })
  return { audit, lines, clock }
}

test('a line is JSON, members in one order', () => {
  const { audit, lines } = auditLog()
  audit.record(ENTRY)
  expect(lines).toEqual([
    '{"audit":"stream.create","time":"2027-01-15T08:00:00.000Z","client":"shop","from":"10.0.0.7:40312",' +
      '"namespace":"default","stream":"orders","status":200,"outcome":"done"}\n',
  ])
})

test.each([
  { status: 200, outcome: 'done' },
  { status: 401, outcome: 'refused' },
  { status: 404, outcome: 'refused' },
  { status: 503, outcome: 'failed' },
])('$status is $outcome', ({ status, outcome }) => {
  const { audit, lines } = auditLog()
  audit.record({ ...ENTRY, status })
  expect(JSON.parse(lines[0]!)).toMatchObject({ status, outcome })
})

test('names that clients chose cannot end the line, and are cut', () => {
  const { audit, lines } = auditLog()
  audit.record({
    ...ENTRY,
    stream: 'a"}\n{"audit":"x"',
    namespace: 'x'.repeat(5000),
    forwardedFor: 'é\u2028\r',
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]!.match(/\n/g)).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toMatchObject({
    stream: 'a"}\n{"audit":"x"',
    namespace: `${'x'.repeat(1024)}…`,
    forwardedFor: 'é\u2028\r',
  })
})

test('attempts without a valid token get sixty lines a minute, and a count of the rest', () => {
  const { audit, lines, clock } = auditLog()
  for (let i = 0; i < 1000; i++) audit.record({ ...ENTRY, client: null, status: 401 })
  audit.record(ENTRY)
  expect(lines).toHaveLength(61)
  clock.nowMs += 60_000
  audit.record({ ...ENTRY, client: null, status: 401 })
  expect(lines.slice(61).map((line) => JSON.parse(line))).toMatchObject([
    { audit: 'unauthenticated', unrecorded: 940 },
    { audit: 'stream.create', client: null },
  ])
})

test('changes of the tokens name them', () => {
  const { audit, lines } = auditLog()
  audit.tokensChanged({ added: ['a'], removed: [], changed: ['b'] })
  expect(JSON.parse(lines[0]!)).toMatchObject({ audit: 'tokens', added: ['a'], removed: [], changed: ['b'] })
})

test('a file keeps the order, and one that is renamed is followed by a new one', async () => {
  const path = join(await temporaryFolder(), 'audit.jsonl')
  const reported: unknown[] = []
  const file = await AuditFile.open(path, (error) => reported.push(error))
  const lines = Array.from({ length: 500 }, (_, i) => `${i}\n`)
  for (const line of lines) file.write(line)
  await file.close()
  expect(await readFile(path, 'utf8')).toBe(lines.join(''))
  if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
  await rename(path, `${path}.1`)
  file.write('next\n')
  await file.close()
  expect(await readFile(path, 'utf8')).toBe('next\n')
  expect(reported).toEqual([])
})

test('an audit file that cannot be written is an error at the start, and reported later', async () => {
  const folder = await temporaryFolder()
  const reported: unknown[] = []
  await expect(AuditFile.open(folder, () => {})).rejects.toThrow(/^audit file .* cannot be written: EISDIR/)
  const file = await AuditFile.open(join(folder, 'a'), (error) => reported.push(error))
  await rm(folder, { recursive: true })
  file.write('x\n')
  await file.close()
  expect(reported.map(String)).toEqual([expect.stringMatching(/audit file .* cannot be written: ENOENT/)])
})
