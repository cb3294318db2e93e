/**
 * The streams and datasets that programs use. Features that read streams for a program report it here. Without reports,
 * a lookup returns an empty list, not an error.
 *
 * A lasting use, such as a webhook, is registered and later removed. A use that has ended when it is reported, such as
 * a query, is remembered: the last 1,000 of those, until the service stops or the stream is deleted.
 */
import {
  type ApplicationName,
  type NamespaceName,
  type ProgramName,
  type StreamId,
  streamKey,
} from './names.ts'
import type { Registry, RemovalHook, Stream } from './registry.ts'

export const PROGRAM_TYPES = [
  'Flow',
  'Mapreduce',
  'Workflow',
  'Webapp',
  'Service',
  'Spark',
  'Worker',
] as const
export type ProgramType = (typeof PROGRAM_TYPES)[number]

export interface ProgramId {
  readonly namespace: NamespaceName
  readonly application: ApplicationName
  readonly type: ProgramType
  readonly program: ProgramName
}

/** Clients choose the names of programs, so the number is limited: with the longest names these entries take some 10 MB. */
const REMEMBERED_MAX = 1000

interface Use {
  readonly program: ProgramId
  readonly stream: StreamId
}

export class UsageRegistry implements RemovalHook {
  readonly #registered = new Map<string, Use>()
  /** Oldest report first. */
  readonly #remembered = new Map<string, Use>()

  /** A repeated registration of the same use has no effect. */
  register(program: ProgramId, stream: StreamId): void {
    this.#registered.set(keyOf(program, stream), { program, stream })
  }

  unregister(program: ProgramId, stream: StreamId): void {
    this.#registered.delete(keyOf(program, stream))
  }

  remember(program: ProgramId, stream: StreamId): void {
    const key = keyOf(program, stream)
    this.#remembered.delete(key)
    this.#remembered.set(key, { program, stream })
    if (this.#remembered.size <= REMEMBERED_MAX) return
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest)
      break
    }
  }

  /** Forgets uses of streams that are not in `registry`, now and whenever a stream is removed. */
  onRemoval(registry: Registry): void {
    this.#forget(({ namespace, stream }) => registry.find(namespace, stream) === undefined)
    registry.onRemoval(this)
  }

  changesOnRemoval(): readonly [] {
    return []
  }

  removed(streams: readonly Stream[]): void {
    const gone = new Set(streams.map(({ id }) => streamKey(id)))
    this.#forget((stream) => gone.has(streamKey(stream)))
  }

  /** Streams used by an application, or by one of its programs. */
  streamsOf(user: Pick<ProgramId, 'namespace' | 'application'> & Partial<ProgramId>): StreamId[] {
    const streams = new Map<string, StreamId>()
    for (const { program, stream } of this.#uses()) {
      if (program.namespace !== user.namespace || program.application !== user.application) continue
      if (user.type !== undefined && program.type !== user.type) continue
      if (user.program !== undefined && program.program !== user.program) continue
      streams.set(streamKey(stream), stream)
    }
    return [...streams.values()]
  }

  programsOf(used: StreamId): ProgramId[] {
    return this.#uses()
      .filter(({ stream }) => stream.namespace === used.namespace && stream.stream === used.stream)
      .map(({ program }) => program)
  }

  /** Registered and remembered uses, each once. */
  #uses(): Use[] {
    return [...new Map([...this.#registered, ...this.#remembered]).values()]
  }

  #forget(isGone: (stream: StreamId) => boolean): void {
    for (const [key, { stream }] of this.#remembered) if (isGone(stream)) this.#remembered.delete(key)
  }
}

function keyOf({ namespace, application, type, program }: ProgramId, stream: StreamId): string {
  return [namespace, application, type, program, streamKey(stream)].join(':')
}
