/** Names in the path of a request, parsed. The `/v2` paths name no namespace: it is always `default`. */
import type { EntityId } from '../../streams/existing.ts'
import {
  DEFAULT_NAMESPACE,
  type NamespaceName,
  parseNamespaceName,
  parseStreamName,
  parseViewName,
  type StreamId,
  type ViewName,
} from '../../streams/names.ts'
import type { HttpContext } from './bindings.ts'

/** As the request names it, checked or not; undefined if its namespace is not known yet. */
export function namedNamespace(c: HttpContext): string | undefined {
  const subject = c.get('subject')
  return subject === undefined ? (c.req.param('namespace') ?? DEFAULT_NAMESPACE) : subject.namespace
}

/** Throws ServiceError 'invalid_id'. */
export function streamOf(c: HttpContext): StreamId {
  return { namespace: namespaceOf(c), stream: parseStreamName(c.req.param('stream') ?? '') }
}

/** Throws ServiceError 'invalid_id'. */
export function viewOf(c: HttpContext): ViewName {
  return parseViewName(c.req.param('view') ?? '')
}

/** The view of a path that names one, else the stream. Throws ServiceError 'invalid_id'. */
export function entityOf(c: HttpContext): EntityId {
  const id = streamOf(c)
  return c.req.param('view') === undefined ? id : { ...id, view: viewOf(c) }
}

/** Throws ServiceError 'invalid_id'. */
export function namespaceOf(c: HttpContext): NamespaceName {
  const namespace = c.req.param('namespace')
  return namespace === undefined ? DEFAULT_NAMESPACE : parseNamespaceName(namespace)
}
