/**
 * Loads DuckDB when a process needs it. Its packages are CommonJS: `import` would read all their files once more to find the
 * names that they export, which takes longer than loading them.
 */
import { createRequire } from 'node:module'
import type duckdbBindings from '@duckdb/node-bindings'

export type DuckDB = typeof import('@duckdb/node-api')

const load = createRequire(import.meta.url)

export function loadDuckDb(): DuckDB {
  return load('@duckdb/node-api') as DuckDB
}

export function loadBindings(): typeof duckdbBindings {
  return load('@duckdb/node-bindings') as typeof duckdbBindings
}
