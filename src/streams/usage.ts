/**
 * Which programs use which streams and datasets. Features that read streams on somebody's behalf register here; a
 * look-up of what nobody registered is empty, not an error.
 */
import type { ApplicationName, NamespaceName, ProgramName, StreamId } from './names.ts'

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

export class UsageRegistry {
  readonly #uses = new Map<string, { readonly program: ProgramId; readonly stream: StreamId }>()

  /** Registering the same use again changes nothing. */
  register(program: ProgramId, stream: StreamId): void {
    this.#uses.set(JSON.stringify([program, stream]), { program, stream })
  }

  unregister(program: ProgramId, stream: StreamId): void {
    this.#uses.delete(JSON.stringify([program, stream]))
  }

  /** Streams used by an application, or by one of its programs. */
  streamsOf(user: Pick<ProgramId, 'namespace' | 'application'> & Partial<ProgramId>): StreamId[] {
    const streams = new Map<string, StreamId>()
    for (const { program, stream } of this.#uses.values()) {
      if (program.namespace !== user.namespace || program.application !== user.application) continue
      if (user.type !== undefined && program.type !== user.type) continue
      if (user.program !== undefined && program.program !== user.program) continue
      streams.set(`${stream.namespace}:${stream.stream}`, stream)
    }
    return [...streams.values()]
  }

  programsOf(used: StreamId): ProgramId[] {
    return [...this.#uses.values()]
      .filter(({ stream }) => stream.namespace === used.namespace && stream.stream === used.stream)
      .map(({ program }) => program)
  }
}
