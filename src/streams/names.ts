/**
 * The names that clients choose, and their grammars. Only this file converts text to a StreamName or another branded
 * name.
 *
 *   stream:             [a-zA-Z0-9_-]+
 *   view:               [a-zA-Z0-9_-]+
 *   namespace:          [a-zA-Z0-9_]+
 *   application:        [a-zA-Z0-9_-]+
 *   program:            [a-zA-Z0-9_-]+
 *
 * Names are case-sensitive. No name contains a dot, so `<stream>.` is an unambiguous header prefix.
 */
import { ServiceError } from '../service-error.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

export type StreamName = Branded<'StreamName'>
export type ViewName = Branded<'ViewName'>
export type NamespaceName = Branded<'NamespaceName'>
export type ApplicationName = Branded<'ApplicationName'>
export type ProgramName = Branded<'ProgramName'>

/** The identity of a stream inside the service. */
export interface StreamId {
  readonly namespace: NamespaceName
  readonly stream: StreamName
}

/**
 * A stream as one text: the key of maps and of catalog documents. Names contain no colon, so two streams never have the
 * same key.
 */
export function streamKey({ namespace, stream }: StreamId): string {
  return `${namespace}:${stream}`
}

/**
 * The most bytes of a name. The grammars are ASCII, so these are also characters. CDAP has no limit of its own, but
 * every name is part of a request line and of the prefix of event headers in responses, and Node refuses a request
 * whose line and headers exceed 16 KiB together. File systems and Kafka allow a quarter of a KiB for such names. Four
 * times that is enough for every client, and two names in one path still leave most of the 16 KiB to headers.
 */
export const NAME_BYTES_MAX = 1024

export const DEFAULT_NAMESPACE = 'default' as NamespaceName

/** The grammars of these two names as regular expressions, for code that matches whole paths. */
export const STREAM_NAME = '[a-zA-Z0-9_-]+'
export const NAMESPACE_NAME = '[a-zA-Z0-9_]+'

const WITH_HYPHEN = new RegExp(`^${STREAM_NAME}$`)
const WITHOUT_HYPHEN = new RegExp(`^${NAMESPACE_NAME}$`)

/** The stream named in a path. The error text has the class name of CDAP's wrapped exception, because clients know it. */
export function parseStreamName(text: string): StreamName {
  checkLength('stream', text)
  if (!WITH_HYPHEN.test(text)) {
    throw new ServiceError(
      'invalid_id',
      `java.lang.IllegalArgumentException: ${invalid('stream', text, 'and _ or -')}`,
    )
  }
  return text as StreamName
}

/** The view named in a path. */
export function parseViewName(text: string): ViewName {
  checkLength('view', text)
  if (!WITH_HYPHEN.test(text)) {
    throw new ServiceError(
      'invalid_id',
      `java.lang.IllegalArgumentException: ${invalid('view', text, 'and _ or -')}`,
    )
  }
  return text as ViewName
}

/** The namespace named in the path of one of its streams or applications. */
export function parseNamespaceName(text: string): NamespaceName {
  checkLength('namespace', text)
  if (!WITHOUT_HYPHEN.test(text)) throw new ServiceError('invalid_id', invalid('namespace', text, 'or _'))
  return text as NamespaceName
}

/** The name of a namespace to create. CDAP has another error text for it. */
export function parseNewNamespaceName(text: string): NamespaceName {
  checkLength('namespace', text)
  if (!WITHOUT_HYPHEN.test(text)) {
    throw new ServiceError('invalid_id', "Namespace id can contain only alphanumeric characters or '_'.")
  }
  return text as NamespaceName
}

export function parseApplicationName(text: string): ApplicationName {
  checkLength('application', text)
  if (!WITH_HYPHEN.test(text))
    throw new ServiceError('invalid_id', invalid('application', text, 'and _ or -'))
  return text as ApplicationName
}

export function parseProgramName(text: string): ProgramName {
  checkLength('program', text)
  if (!WITH_HYPHEN.test(text)) throw new ServiceError('invalid_id', invalid('program', text, 'and _ or -'))
  return text as ProgramName
}

/** A stored name, read back. It was checked before it was stored. */
export function trustedName<Name extends StreamName | NamespaceName | ViewName>(text: string): Name {
  return text as Name
}

function invalid(kind: string, text: string, andAlso: string): string {
  return `Invalid ${kind} ID: ${text}. Should only contain alphanumeric characters ${andAlso}.`
}

function checkLength(kind: string, text: string): void {
  if (text.length > NAME_BYTES_MAX) {
    throw new ServiceError(
      'invalid_id',
      `Invalid ${kind} ID of ${text.length} characters; use at most ${NAME_BYTES_MAX}.`,
    )
  }
}
