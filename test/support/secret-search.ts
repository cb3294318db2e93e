/** Searches everything that a service has answered, logged, reported and stored for passwords, as they are and as URLs have them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect } from 'vitest'
import { PASSWORD } from './shop-database.ts'
import type { TestApp } from './test-app.ts'

export const WRONG_PASSWORD = 'wr0ng&pässword%+'

const FORBIDDEN = [PASSWORD, WRONG_PASSWORD].flatMap((word) => {
  const coded = encodeURIComponent(word)
  const inForm = new URLSearchParams({ word }).toString().slice('word='.length)
  return [word, coded, coded.toLowerCase(), inForm, encodeURIComponent(coded)]
})

/** `texts`: answers, and other texts by the test. */
export function expectNoSecret(app: TestApp, texts: readonly string[]): void {
  const places: (readonly [string, string])[] = [
    ...texts.map((text) => ['an answer', text] as const),
    ['the log', app.logged.join('')],
    ['what was reported', inspect(app.reported, { depth: 10, showHidden: true })],
  ]
  for (const entry of readdirSync(app.dataFolder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    for (const encoding of ['latin1', 'utf8', 'utf16le'] as const)
      places.push([path, bytes.toString(encoding)])
  }
  expect(places.length).toBeGreaterThan(10)
  const found = places.flatMap(([place, text]) =>
    FORBIDDEN.filter((word) => text.includes(word)).map((word) => `${word} in ${place}`),
  )
  expect(found).toEqual([])
}
