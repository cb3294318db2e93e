/**
 * Time series of one stream: counts per second for an hour, per minute for a day, per hour for 30 days.
 *
 * A series consists of chunks in a ring of slots; each chunk is a catalog document. A new chunk replaces the oldest
 * one, so a stream never has more documents than there are slots, 117 in all, and none has to be removed.
 *
 *   document:  {"at": seconds since 1970 at which the chunk begins, "points": [step, counted…, step, counted…, …]}
 *
 * `step` counts the chunk's steps from 0; `counted` are the WIDTH numbers of COUNTED (src/streams/traffic.ts).
 */
import { COUNTED, type Totals } from '../streams/traffic.ts'

export interface Resolution {
  /** Used in ids of documents. */
  readonly letter: 's' | 'm' | 'h'
  readonly name: '1s' | '1m' | '1h'
  readonly stepSeconds: number
  readonly chunkSteps: number
  /** One more than needed for the promised time, for the chunk that is being filled. */
  readonly slots: number
}

export const SECONDS: Resolution = { letter: 's', name: '1s', stepSeconds: 1, chunkSteps: 60, slots: 61 }
export const MINUTES: Resolution = { letter: 'm', name: '1m', stepSeconds: 60, chunkSteps: 60, slots: 25 }
export const HOURS: Resolution = { letter: 'h', name: '1h', stepSeconds: 3600, chunkSteps: 24, slots: 31 }
export const RESOLUTIONS = [SECONDS, MINUTES, HOURS] as const

export const WIDTH = COUNTED.length
/** Numbers of one point: its step and its counts. */
const POINT = 1 + WIDTH

export interface Chunk {
  readonly at: number
  readonly points: number[]
}

export function chunkBegin({ stepSeconds, chunkSteps }: Resolution, second: number): number {
  const chunkSeconds = stepSeconds * chunkSteps
  return Math.floor(second / chunkSeconds) * chunkSeconds
}

/** The second at which the oldest chunk begins that has not been replaced yet. */
export function oldestChunk(resolution: Resolution, nowSecond: number): number {
  const { stepSeconds, chunkSteps, slots } = resolution
  return chunkBegin(resolution, nowSecond) - (slots - 1) * stepSeconds * chunkSteps
}

/** The id of the document of the chunk that begins at this second. */
export function chunkId(
  incarnation: number,
  { letter, stepSeconds, chunkSteps, slots }: Resolution,
  at: number,
): string {
  const slot = Math.floor(at / (stepSeconds * chunkSteps)) % slots
  return `${incarnation}:${letter}:${String(slot).padStart(2, '0')}`
}

export function addToChunk(
  { stepSeconds }: Resolution,
  { at, points }: Chunk,
  second: number,
  counted: Totals,
): void {
  const step = Math.floor((second - at) / stepSeconds)
  let end = points.length
  while (end > 0 && points[end - POINT]! > step) end -= POINT // only if the clock went back
  if (end > 0 && points[end - POINT] === step) {
    for (let i = 0; i < WIDTH; i++) points[end - WIDTH + i]! += counted[i]!
  } else {
    points.splice(end, 0, step, ...counted)
  }
}

/** The second at which a step begins, and its counts. */
export type Point = readonly [second: number, counted: Totals]

export function* pointsOf({ stepSeconds }: Resolution, { at, points }: Chunk): Generator<Point> {
  for (let i = 0; i < points.length; i += POINT) {
    yield [at + points[i]! * stepSeconds, points.slice(i + 1, i + POINT)]
  }
}

/** Undefined for a document that is not a chunk: a damaged series must not prevent the start. */
export function decodeChunk(document: unknown): Chunk | undefined {
  const { at, points } = (document ?? {}) as { at?: unknown; points?: unknown }
  if (!Number.isSafeInteger(at) || !Array.isArray(points) || points.length % POINT !== 0) return undefined
  return points.every((number) => Number.isFinite(number)) ? { at: at as number, points } : undefined
}
