/**
 * What a token may do, and where:
 *
 *   grant:    <namespace> ':' <stream> ':' <role> (',' <role>)*      default:orders-*:read,write
 *   role:     'read' | 'write' | 'admin' | 'jobs'
 *
 * A name may end in `*`, which matches any rest, also an empty one. Roles do not include each other: a token that may delete a
 * stream may lack the right to read it. The role `jobs` is about tables, jobs and integrations of a namespace, not about a
 * stream: its grant is `<namespace>:*:jobs`. Decisions use names only, so that an answer does not reveal whether a stream exists.
 */
import { TokenProblem } from './token-problem.ts'

export const ROLES = ['read', 'write', 'admin', 'jobs'] as const
export type Role = (typeof ROLES)[number]

export interface Grant {
  readonly namespace: string
  readonly stream: string
  readonly roles: readonly Role[]
}

/** Letters of namespaces and streams; a star only at the end, so that matching needs no search. */
const NAMESPACE_PATTERN = /^(?:[a-zA-Z0-9_]+\*?|\*)$/
const STREAM_PATTERN = /^(?:[a-zA-Z0-9_-]+\*?|\*)$/

/** Throws TokenProblem. */
export function parseGrant(text: string): Grant {
  const [namespace = '', stream = '', roles = '', ...rest] = text.split(':')
  if (rest.length > 0 || !NAMESPACE_PATTERN.test(namespace) || !STREAM_PATTERN.test(stream)) {
    throw new TokenProblem(
      `'${text}' is no grant; use NAMESPACE:STREAM:ROLES, where names may end in *, as in default:orders-*:read,write`,
    )
  }
  const all = parseRoles(roles)
  if (all.includes('jobs') && stream !== '*') {
    throw new TokenProblem(
      `'${text}' gives the role jobs on streams; it is for a namespace: use ${namespace}:*:jobs`,
    )
  }
  return { namespace, stream, roles: all }
}

export function printGrant({ namespace, stream, roles }: Grant): string {
  return `${namespace}:${stream}:${roles.join(',')}`
}

function parseRoles(text: string): Role[] {
  const words = text.split(',')
  for (const word of words) {
    if (!(ROLES as readonly string[]).includes(word)) {
      throw new TokenProblem(`'${word}' is no role; use ${ROLES.join(', ')}, separated by commas`)
    }
  }
  return ROLES.filter((role) => words.includes(role))
}

/** All grants of one token. The names in its questions are those that clients sent, parsed or not. */
export class Grants {
  readonly #all: readonly Grant[]

  constructor(all: readonly Grant[]) {
    this.#all = all
  }

  allow(role: Role, namespace: string, stream: string): boolean {
    return this.#all.some(
      (grant) => grant.roles.includes(role) && fits(grant.namespace, namespace) && fits(grant.stream, stream),
    )
  }

  /** In any role: a token that may write to a stream may see its name and its properties. */
  includeStream(namespace: string, stream: string): boolean {
    return this.#all.some((grant) => fits(grant.namespace, namespace) && fits(grant.stream, stream))
  }

  /** The names of streams of this namespace that `includeStream` is true of, as patterns. */
  streamPatterns(namespace: string): readonly string[] {
    return this.#all.filter((grant) => fits(grant.namespace, namespace)).map(({ stream }) => stream)
  }

  /** Whether a grant of the token may match streams of this namespace. */
  includePartOf(namespace: string): boolean {
    return this.#all.some((grant) => fits(grant.namespace, namespace))
  }

  /** For all streams of this namespace, future ones included. */
  allowAll(role: Role, namespace: string): boolean {
    return this.#all.some(
      (grant) => grant.stream === '*' && grant.roles.includes(role) && fits(grant.namespace, namespace),
    )
  }

  /** For all streams of this namespace whose names begin with `prefix`, future ones included. */
  allowPrefix(role: Role, namespace: string, prefix: string): boolean {
    return this.#all.some(
      ({ stream, roles, ...grant }) =>
        roles.includes(role) &&
        fits(grant.namespace, namespace) &&
        stream.endsWith('*') &&
        prefix.startsWith(stream.slice(0, -1)),
    )
  }

  /** Whether there may be a stream in this namespace whose name begins with `prefix` and for which `allow` is true. */
  allowSome(role: Role, namespace: string, prefix: string): boolean {
    return this.#all.some(
      ({ stream, roles, ...grant }) =>
        roles.includes(role) &&
        fits(grant.namespace, namespace) &&
        (stream.startsWith(prefix) || (stream.endsWith('*') && prefix.startsWith(stream.slice(0, -1)))),
    )
  }

  /** Whether the token is admin of all streams of this namespace, future ones included: then it is admin of the namespace. */
  allowNamespace(namespace: string): boolean {
    return this.allowAll('admin', namespace)
  }

  /** Whether the token is admin of all namespaces, future ones included: then it is one of an operator of the service. */
  allowEverywhere(): boolean {
    return this.#all.some(
      ({ namespace, stream, roles }) => namespace === '*' && stream === '*' && roles.includes('admin'),
    )
  }

  /** Whether the token may change tables, jobs and integrations of this namespace. */
  allowJobs(namespace: string): boolean {
    return this.allowAll('jobs', namespace) || this.allowNamespace(namespace)
  }

  /** Whether there may be a namespace for which `allowJobs` is true. */
  allowJobsSomewhere(): boolean {
    return this.#all.some(
      ({ stream, roles }) => stream === '*' && (roles.includes('jobs') || roles.includes('admin')),
    )
  }
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}
