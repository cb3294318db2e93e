import { expect, test } from 'vitest'
import {
  DEFAULT_NAMESPACE_PROPERTIES,
  mergeNamespaceProperties,
  type NamespaceChange,
} from '../../src/streams/namespace.ts'

const before = {
  description: 'before',
  config: new Map([
    ['scheduler.queue.name', 'a'],
    ['other', 'b'],
  ]),
}

const changes: { name: string; change: NamespaceChange; after: object }[] = [
  { name: 'nothing', change: {}, after: before },
  { name: 'a description', change: { description: 'after' }, after: { ...before, description: 'after' } },
  {
    name: 'one setting',
    change: { config: new Map([['scheduler.queue.name', 'z']]) },
    after: {
      ...before,
      config: new Map([
        ['scheduler.queue.name', 'z'],
        ['other', 'b'],
      ]),
    },
  },
  {
    name: 'an owner',
    change: { principal: 'p', keytabUri: 'k' },
    after: { ...before, principal: 'p', keytabUri: 'k' },
  },
]
test.each(changes)('a change of $name leaves the rest as it was', ({ change, after }) => {
  expect(mergeNamespaceProperties(before, change)).toEqual(after)
})

test('a namespace that names nothing shares the defaults', () => {
  expect(mergeNamespaceProperties(DEFAULT_NAMESPACE_PROPERTIES, {})).toBe(DEFAULT_NAMESPACE_PROPERTIES)
  expect(DEFAULT_NAMESPACE_PROPERTIES).toEqual({
    description: '',
    config: new Map([['scheduler.queue.name', '']]),
  })
})
