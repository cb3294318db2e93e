/** Secret values in messages: which are hidden, and what that costs. */
import { afterEach, expect, test, vi } from 'vitest'
import type { ResourceStore } from '../../src/deployments/resource-store.ts'
import type { SecretValue } from '../../src/deployments/resources.ts'
import { SecretValues } from '../../src/deployments/secret-values.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import type { SecretKey } from '../../src/tables/secret-key.ts'

afterEach(() => vi.restoreAllMocks())

/** Secrets that are kept as they are. */
function hide(values: readonly string[], text: string): string {
  const secrets = values.map((sealed, i) => ({ metadata: { id: `${i}`, name: `s${i}` }, sealed }))
  const store = { secrets: () => secrets as unknown as SecretValue[] } as unknown as ResourceStore
  const key = { unseal: (sealed: string) => sealed } as unknown as SecretKey
  return new SecretValues(store, key).hide(DEFAULT_NAMESPACE, text)
}

test.each([
  ['as it is', ['hunter22'], 'at hunter22!', 'at ***!'],
  ['as addresses have it', ['a b/ü'], 'at postgres://u:a%20b%2F%C3%BC@h', 'at postgres://u:***@h'],
  ['as the whole message', ['hunter22'], 'hunter22', '***'],
  ['a short one is not hidden', ['abc'], 'abc', 'abc'],
])('%s', (_, values, text, hidden) => {
  expect(hide(values, text)).toBe(hidden)
})

test('a secret that is longer than the message costs nothing', () => {
  const encode = vi.spyOn(globalThis, 'encodeURIComponent')
  const long = Array.from({ length: 1_000 }, (_, i) => `${i}${'é'.repeat(1_000)}`)
  expect(hide([...long, 'hunter22'], 'it is hunter22')).toBe('it is ***')
  expect(encode.mock.calls).toEqual([['hunter22']])
})
