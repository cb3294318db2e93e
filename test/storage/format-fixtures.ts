/**
 * A small data folder of each storage format since the first release, kept as a fixture: `format-3/`, and its content in
 * `format-3.json`.
 *
 * When the format changes, the last version of the old one makes its fixture, before anything else is changed:
 *
 *   MAKE_FIXTURE=1 npx vitest run test/storage/formats.test.ts
 */
import { createHash } from 'node:crypto'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FORMAT_VERSION } from '../../storage/level/format-stamp.ts'
import { makeSampleStore, openStore, readStore } from '../support/sample-store.ts'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

export interface FixtureContent {
  readonly namespaces: readonly unknown[]
  readonly streams: readonly {
    readonly name: string
    readonly properties: unknown
    readonly events: number
    /** SHA-256 of a JSON line per event, with sequence, time, headers and body. */
    readonly sha256: string
    readonly first: unknown
    readonly last: unknown
  }[]
}

/** Versions of which there is a fixture here. */
export function fixtureVersions(): number[] {
  return readdirSync(FOLDER)
    .flatMap((name) => /^format-([0-9]+)\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
}

export function fixtureFolder(version: number): string {
  return join(FOLDER, `format-${version}`)
}

export function fixtureContentPath(version: number): string {
  return join(FOLDER, `format-${version}.json`)
}

/** What a data folder holds; opening it changes it. */
export async function contentOf(folder: string): Promise<FixtureContent> {
  const store = await openStore(folder)
  try {
    const { registry } = store
    const events = await readStore(store)
    const namespaces = registry.namespaceNames().map((name) => [name, plain(registry.namespace(name))])
    const streams = [...registry.allStreams()].map(({ id, properties }) => {
      const name = `${id.namespace}:${id.stream}`
      const all = events.get(name)!
      const lines = all.map((event) => `${JSON.stringify(event)}\n`).join('')
      return {
        name,
        properties: plain(properties),
        events: all.length,
        sha256: createHash('sha256').update(lines).digest('hex'),
        first: all[0] ?? null,
        last: all.at(-1) ?? null,
      }
    })
    return { namespaces, streams }
  } finally {
    await store.storage.close()
  }
}

function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, member) => {
    if (typeof member === 'bigint') return String(member)
    return member instanceof Map ? [...member] : member
  })
  return JSON.parse(text)
}

/** Makes the fixture of the current format. */
export async function makeFixture(): Promise<void> {
  const folder = fixtureFolder(FORMAT_VERSION)
  rmSync(folder, { recursive: true, force: true })
  await makeSampleStore(folder)
  writeFileSync(fixtureContentPath(FORMAT_VERSION), `${JSON.stringify(await contentOf(folder), null, 2)}\n`)
  rmSync(folder, { recursive: true, force: true })
  await makeSampleStore(folder)
  for (const name of ['LOCK', 'LOG', 'LOG.old']) rmSync(join(folder, 'store', name), { force: true })
}
