/**
 * A service is a namespace: that of the same name, or with `_` for each `-`, because names of namespaces have no hyphen. So each
 * service name has one namespace, and access is decided before the namespace is looked up.
 */
import { ServiceError } from '../../service-error.ts'
import {
  NAME_BYTES_MAX,
  NAMESPACE_NAME,
  type NamespaceName,
  parseNamespaceName,
} from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { HttpContext } from './bindings.ts'

export interface NamedService {
  /** As the client wrote it. */
  readonly name: string
  readonly namespace: NamespaceName
}

const NAMESPACE = new RegExp(`^${NAMESPACE_NAME}$`)
/** A longer name is not repeated in an error. */
const SHOWN_CHARACTERS_MAX = 100

/** Not checked: a namespace of this name may not exist, or be no name at all. */
export function namespaceOfService(service: string): string {
  return service.replaceAll('-', '_')
}

/** Throws ServiceError 'service_not_found'. */
export function existingService(namespaces: Namespaces, name: string): NamedService {
  const text = namespaceOfService(name)
  if (text.length > NAME_BYTES_MAX || !NAMESPACE.test(text)) {
    const shown = name.length > SHOWN_CHARACTERS_MAX ? `${name.slice(0, SHOWN_CHARACTERS_MAX)}…` : name
    throw new ServiceError(
      'service_not_found',
      `Service ${shown} does not exist; services are namespaces, whose names have letters, digits and _ (- stands for _)`,
    )
  }
  const namespace = parseNamespaceName(text)
  if (namespaces.has(namespace)) return { name, namespace }
  throw new ServiceError(
    'service_not_found',
    `Service ${name} does not exist; create namespace ${text} with PUT /v3/namespaces/${text}`,
  )
}

/** The service that the path names. Throws ServiceError 'service_not_found'. */
export function serviceOf(c: HttpContext, namespaces: Namespaces): NamedService {
  return existingService(namespaces, c.req.param('service') ?? '')
}
