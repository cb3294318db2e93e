/**
 * Runs a script of `bench/load/` in wrk, which makes ten times the requests of a load in JavaScript on the same core.
 * A run of wrk has no warm-up: one run warms up, the next is measured.
 */
import { spawn, spawnSync } from 'node:child_process'
import { endWithUs } from '../cleanup.ts'
import type { LoadResult } from '../load/jobs.ts'
import { joined } from '../load/joined.ts'
import { benchFile } from '../paths.ts'

export interface WrkJob {
  /** A file of `bench/load/`. */
  readonly script: string
  readonly base: string
  /** Arguments of the script. */
  readonly args: readonly (string | number)[]
  readonly connections: number
  readonly warmupSeconds: number
  readonly seconds: number
}

/** Longer than any answer takes: wrk counts those that take longer as failures. */
const TIMEOUT_SECONDS = 30

export function wrkInstalled(): boolean {
  return spawnSync('wrk', ['-v'], { stdio: 'ignore' }).error === undefined
}

export async function runWrk(job: WrkJob, pin: readonly string[], onWarm?: () => void): Promise<LoadResult> {
  const warmup = await runOnce(job, job.warmupSeconds, pin)
  onWarm?.()
  return joined(warmup, await runOnce(job, job.seconds, pin))
}

async function runOnce(job: WrkJob, seconds: number, pin: readonly string[]): Promise<LoadResult> {
  const duration = Math.max(1, Math.round(seconds)) // wrk takes whole seconds
  const flags = [`-t1`, `-c${job.connections}`, `-d${duration}s`, '--timeout', `${TIMEOUT_SECONDS}s`]
  const script = ['-s', benchFile(`load/${job.script}`), job.base, '--', ...job.args.map(String)]
  const words = [...pin, 'wrk', ...flags, ...script]
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  endWithUs(child)
  let printed = ''
  child.stdout.on('data', (piece: Buffer) => (printed += piece))
  child.stderr.on('data', (piece: Buffer) => (printed += piece))
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const line = /^\{.*\}$/m.exec(printed)?.[0]
  if (code !== 0 || line === undefined) throw new Error(`wrk ended with ${code}: ${printed.trim()}`)
  return resultOf(JSON.parse(line) as WrkSummary)
}

/** The line that `done` of our scripts prints: load/summary.lua. */
export interface WrkSummary extends Omit<LoadResult, 'failures' | 'acknowledged'> {
  readonly refused: number
  readonly connect: number
  readonly read: number
  readonly write: number
  readonly timeout: number
}

export function resultOf({ refused, connect, read, write, timeout, ...numbers }: WrkSummary): LoadResult {
  const counts = { 'another status': refused, connect, read, write, timeout }
  const failures = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
  return { ...numbers, failures, acknowledged: numbers.events }
}
