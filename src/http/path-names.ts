/** Names in the path of a request, parsed. The `/v2` paths name no namespace: it is always `default`. */
import {
  DEFAULT_NAMESPACE,
  type NamespaceName,
  parseNamespaceName,
  parseStreamName,
  type StreamId,
} from '../streams/names.ts'
import type { HttpContext } from './bindings.ts'

/** Throws ServiceError 'invalid_id'. */
export function streamOf(c: HttpContext): StreamId {
  return { namespace: namespaceOf(c), stream: parseStreamName(c.req.param('stream') ?? '') }
}

/** Throws ServiceError 'invalid_id'. */
export function namespaceOf(c: HttpContext): NamespaceName {
  const namespace = c.req.param('namespace')
  return namespace === undefined ? DEFAULT_NAMESPACE : parseNamespaceName(namespace)
}
