/** The two descriptions of the API have every route, and no other. */
import { expect, test } from 'vitest'
import { VERVERICA } from '../../../src/http/ververica/api.ts'
import { appParts } from '../../support/app-parts.ts'
import type { JsonObject } from '../../support/described.ts'
import { routeOptions, testApp } from '../../support/test-app.ts'

/** Those that people use with a browser. */
const ABOUT_THE_API = /^\/swagger(?:$|\/|\.json$)|^\/api\/swagger\.json$/

test('the descriptions and the service have the same routes', async () => {
  const { parts, storage } = await appParts(Date.now)
  const routes = VERVERICA.routes(parts, routeOptions({ nowMs: Date.now, report: () => {} }))
  await storage.close()
  const own = routes
    .map(([method, path]) => `${method} ${path.replace(/%3a(?=[a-z]+$)/i, ':')}`)
    .filter((route) => !ABOUT_THE_API.test(route.split(' ')[1]!))
  const app = await testApp()
  const described: string[] = []
  for (const path of ['/swagger.json', '/api/swagger.json']) {
    const { paths } = (await app.request('GET', path)).json() as { paths: JsonObject }
    for (const [name, item] of Object.entries(paths))
      for (const verb of Object.keys(item as JsonObject))
        if (verb !== 'parameters') described.push(`${verb.toUpperCase()} ${name}`)
  }
  const nameless = (route: string) => route.replace(/\{[a-z]+\}|(?<=\/):[a-z]+/g, '{}')
  expect(new Set(described).size).toBe(described.length)
  expect(described.map(nameless).sort()).toEqual([...new Set(own.map(nameless))].sort())
})
