/** One run of a real client: a process that speaks to a service of its own, and the calls that it reports. */
import { spawn } from 'node:child_process'
import { expect } from 'vitest'
import { tellProof } from '../support/effort.ts'

/** A client that takes longer hangs. */
const RUN_MS = 240_000

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function run(command: string, args: readonly string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { timeout: RUN_MS, killSignal: 'SIGKILL' })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.on('error', () => {}) // the client ended before it read all
    child.stdin.end(input)
  })
}

/** What our programs print, one line a call. */
export interface Call {
  readonly call: string
  readonly ok: boolean
  /** If it is ok. */
  readonly value?: unknown
  /** If not: class and message. */
  readonly error?: string
}

export function callsOf({ code, stdout, stderr }: Run): Call[] {
  if (code !== 0) throw new Error(`the client ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{"call":'))
    .map((line) => JSON.parse(line) as Call)
}

/** What each call has to give: a value, or a text that its error contains. */
export type Expected = Readonly<Record<string, { readonly value: unknown } | { readonly error: string }>>

/** Compares all calls with what is expected of them: none may be missing, and none unknown. */
export function expectCalls(client: string, calls: readonly Call[], expected: Expected): void {
  const wrong: unknown[] = []
  for (const { call, ok, value, error } of calls) {
    const wanted = expected[call]
    const isRight =
      wanted !== undefined &&
      ('value' in wanted
        ? ok && matches(value, wanted.value)
        : !ok && error !== undefined && error.includes(wanted.error))
    if (!isRight) wrong.push({ call, got: ok ? { value } : { error }, wanted })
  }
  tellProof(`clients ${client}`, { calls: calls.length, passed: calls.length - wrong.length })
  expect(wrong).toEqual([])
  expect(calls.map(({ call }) => call).sort()).toEqual(Object.keys(expected).sort())
}

function matches(value: unknown, wanted: unknown): boolean {
  try {
    expect(value).toEqual(wanted)
    return true
  } catch {
    return false
  }
}

/** Says why a client was not driven. */
export function tellSkipped(client: string, reason: string): void {
  tellProof(`clients ${client}`, { skipped: reason })
}
