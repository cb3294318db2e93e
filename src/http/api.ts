/**
 * An API: a set of paths with its routes and the shape of its errors. Each has a folder beside this file, and one line in the
 * list of app.ts; a route states its access and its audit action beside its path.
 */
import type { AuditAction, AuditLog } from '../audit/audit-log.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { QueryService } from '../cached-queries/query-service.ts'
import type { DeploymentService } from '../deployments/deployment-service.ts'
import type { ApiTokens } from '../deployments/platform/api-tokens.ts'
import type { PlatformNamespaces } from '../deployments/platform/platform-namespaces.ts'
import type { Explore } from '../explore/explore.ts'
import type { JarJobs } from '../jars/jar-jobs.ts'
import type { JarStore } from '../jars/jar-store.ts'
import type { JobService } from '../jobs/job-service.ts'
import type { Limits } from '../limits.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { Prometheus } from '../metrics/prometheus.ts'
import type { StreamMetrics } from '../metrics/query.ts'
import type { NodeFacts } from '../node-facts.ts'
import type { Feeds } from '../notifications/feeds.ts'
import type { SizeFeed } from '../notifications/size-feed.ts'
import type { Webhooks } from '../notifications/webhooks.ts'
import type { ServiceProcess } from '../process/service-process.ts'
import type { SqlScriptService } from '../sql-scripts/sql-script-service.ts'
import type { Namespaces } from '../streams/namespaces.ts'
import type { Streams } from '../streams/streams.ts'
import type { UsageRegistry } from '../streams/usage.ts'
import type { Views } from '../streams/views.ts'
import type { TableService } from '../tables/table-service.ts'
import type { DocumentOptions } from './messages/documents.ts'
import type { ProblemCounts } from './messages/problems.ts'
import type { SlicedAnswerOptions } from './messages/sliced-answer.ts'
import type { Access } from './server/access.ts'
import type { Handler, HttpContext, Subject } from './server/bindings.ts'
import type { Followers } from './server/followers.ts'
import type { Guard } from './server/guard.ts'
import type { ProblemShape, ShapeOf } from './server/problem.ts'
import type { SharedRequests } from './server/shared-requests.ts'
import type { PublicAddress } from './server/unauthorized.ts'

/** The services that routes call. */
export interface AppParts {
  readonly streams: Streams
  readonly views: Views
  readonly explore: Explore
  readonly tables: TableService
  readonly jobs: JobService
  readonly process: ServiceProcess
  readonly jars: JarStore
  readonly jarJobs: JarJobs
  readonly cachedQueries: QueryService
  readonly deployments: DeploymentService
  readonly sqlScripts: SqlScriptService
  readonly platformNamespaces: PlatformNamespaces
  /** Undefined: tokens are not required. */
  readonly apiTokens?: ApiTokens | undefined
  readonly namespaces: Namespaces
  readonly usage: UsageRegistry
  readonly metadata: Metadata
  readonly feeds: Feeds
  readonly sizeFeed: SizeFeed
  readonly webhooks: Webhooks
  readonly metrics: StreamMetrics
  readonly prometheus: Prometheus
  readonly storeFailure: () => Error | undefined
  /** Undefined: no other node shares the store. */
  readonly cluster?: (() => NodeFacts) | undefined
  /** Undefined: every request is let in. */
  readonly guard?: Guard | undefined
  readonly tokens?: Tokens | undefined
  readonly address: PublicAddress
  /** Undefined: only this process writes the store. */
  readonly sharedRequests?: SharedRequests | undefined
  /** Undefined: no audit. */
  readonly audit?: AuditLog | undefined
}

/** Limits and shared resources by which requests are read and answers are sent. */
export interface AppOptions extends DocumentOptions, SlicedAnswerOptions {
  readonly eventBytesMax: number
  readonly limits: Limits
  readonly followers: Followers
  readonly nowMs: () => number
  readonly problems?: ProblemCounts
}

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

/** A path gets a handler only by a route, so no handler is without its access. HEAD is answered by the route of GET. */
export type Route = readonly [
  method: Method,
  path: string,
  access: Access,
  handle: Handler,
  audit?: AuditAction,
]

export interface Api {
  readonly name: string
  /**
   * Whether a path is this API's, with or without a route: decides the shape of every error there. Where paths overlap the
   * first API of the list counts; the last one has the paths that no other API owns.
   */
  readonly owns: (path: string) => boolean
  readonly routes: (parts: AppParts, options: AppOptions) => readonly Route[]
  /**
   * What a request to one of its routes is about, as its path names it. Undefined for an API whose paths have the parameters
   * `:namespace` and `:stream`.
   */
  readonly subjectOf?: (c: HttpContext) => Subject
  /** By the header Accept, for an API that has more than one. Returns the same function each time. */
  readonly problemShape: (accept: string | undefined) => ProblemShape
  /** The sentence for a path without a route (404), or without a route of this method (405). */
  readonly noRoute: (target: string, status: 404 | 405) => string
}

/** The API of a path without query, as the router has it. */
export function apiOf(apis: readonly Api[], path: string): Api {
  return apis.find(({ owns }) => owns(path)) ?? apis.at(-1)!
}

/** The one function that selects the shape of an error, for routes and for refusals before any route. */
export function problemShapes(apis: readonly Api[]): ShapeOf {
  return (target, accept) => apiOf(apis, pathOf(target ?? '')).problemShape(accept)
}

/** The path in the target of a request line: without origin and query, percent-decoded as by the router. */
export function pathOf(target: string): string {
  const path = /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(target)![1]!
  if (!path.includes('%')) return path
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}
