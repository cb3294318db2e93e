/** Finds the stream or view of a request, or throws the error with CDAP's text. */
import { ServiceError } from '../service-error.ts'
import type { StreamId, ViewName } from './names.ts'
import type { Registry, Stream } from './registry.ts'
import type { View } from './view.ts'

/** A stream, or, with `view`, that view of it. */
export interface EntityId extends StreamId {
  readonly view?: ViewName
}

/** `stream:default.s`, `stream_view:default.s.v`. */
export function printEntity({ namespace, stream, view }: EntityId): string {
  return view === undefined ? `stream:${namespace}.${stream}` : `stream_view:${namespace}.${stream}.${view}`
}

/** Throws ServiceError 'stream_not_found'. */
export function existingStream(registry: Registry, { namespace, stream }: StreamId): Stream {
  const found = registry.find(namespace, stream)
  if (found !== undefined) return found
  throw new ServiceError('stream_not_found', `'${printEntity({ namespace, stream })}' was not found.`)
}

/** Throws ServiceError 'stream_written' if one part of the service writes the stream, and `key` is not the key of that part. */
export function assertWritable({ id, writer }: Stream, key?: string): void {
  if (writer === undefined || writer.key === key) return
  throw new ServiceError('stream_written', `stream ${id.stream} is written by ${writer.name}`)
}

/** Throws ServiceError 'view_not_found'. */
export function existingView({ id, views }: Stream, name: ViewName): View {
  const found = views.get(name)
  if (found !== undefined) return found
  throw new ServiceError('view_not_found', `'${printEntity({ ...id, view: name })}' was not found.`)
}
