/**
 * One router for each API, so that the paths of one do not slow down another. Hono's fastest router matches with one regular
 * expression; it cannot tell `/jobs/overview` from `/jobs/:job`. For an API with such paths Hono falls back to its tree, where
 * the route that stands first in the table counts.
 */
import type { Result, Router } from 'hono/router'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import { type Api, apiOf } from './api.ts'

export class ApiRouter<Handler> implements Router<Handler> {
  readonly name = 'ApiRouter'
  readonly #apis: readonly Api[]
  readonly #routers: ReadonlyMap<Api, Router<Handler>>

  constructor(apis: readonly Api[]) {
    this.#apis = apis
    this.#routers = new Map(
      apis.map((api) => [api, new SmartRouter({ routers: [new RegExpRouter(), new TrieRouter()] })]),
    )
  }

  add(method: string, path: string, handler: Handler): void {
    this.#of(path).add(method, path, handler)
  }

  match(method: string, path: string): Result<Handler> {
    return this.#of(path).match(method, path)
  }

  #of(path: string): Router<Handler> {
    return this.#routers.get(apiOf(this.#apis, path))!
  }
}
