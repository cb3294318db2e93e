import { expect, test } from 'vitest'
import { parseNamespaceChange, printNamespace } from '../../src/http/cdap/namespace-json.ts'
import { ServiceError } from '../../src/service-error.ts'
import { DEFAULT_NAMESPACE, parseNamespaceName } from '../../src/streams/names.ts'
import {
  DEFAULT_NAMESPACE_PROPERTIES,
  mergeNamespaceProperties,
  type NamespaceChange,
  type SettingValue,
} from '../../src/streams/namespace.ts'

const accepted: { name: string; body: string; change: NamespaceChange }[] = [
  { name: 'nothing', body: '', change: {} },
  { name: 'white space', body: ' \n', change: {} },
  { name: 'null', body: 'null', change: {} },
  { name: 'an empty object', body: '{}', change: {} },
  { name: 'a name, which the path has', body: '{"name":"other"}', change: {} },
  { name: 'unknown members', body: '{"x":{"y":[1]},"__proto__":1}', change: {} },
  { name: 'a description', body: '{"description":"d"}', change: { description: 'd' } },
  { name: 'an empty description', body: '{"description":""}', change: { description: '' } },
  { name: 'nulls', body: '{"description":null,"config":null,"principal":null,"keytabURI":null}', change: {} },
  { name: 'an empty config', body: '{"config":{}}', change: {} },
  {
    name: 'settings',
    body: '{"config":{"scheduler.queue.name":"A","n":1,"yes":true,"x":null}}',
    change: {
      config: new Map<string, SettingValue>([
        ['scheduler.queue.name', 'A'],
        ['n', { number: '1' }],
        ['yes', true],
      ]),
    },
  },
  {
    name: 'an owner among the settings',
    body: '{"config":{"principal":"p","keytabURI":"k"}}',
    change: { principal: 'p', keytabUri: 'k' },
  },
  {
    name: 'an owner that is a number',
    body: '{"config":{"principal":7,"keytabURI":8}}',
    change: { principal: '7', keytabUri: '8' },
  },
  { name: 'an owner', body: '{"principal":"p","keytabURI":"k"}', change: { principal: 'p', keytabUri: 'k' } },
  { name: 'lenient JSON', body: "{description='d'}", change: { description: 'd' } },
]
test.each(accepted)('$name can be given', ({ body, change }) => {
  expect(parseNamespaceChange(Buffer.from(body))).toEqual(change)
})

const INVALID = 'Invalid json object provided in request body.'
const TOGETHER = 'principal and keytabURI go together; give both or neither'
const refused = [
  { name: 'an array', body: '[]', text: INVALID },
  { name: 'a text', body: '"x"', text: INVALID },
  { name: 'half of an object', body: '{', text: INVALID },
  { name: 'trailing garbage', body: '{} x', text: INVALID },
  { name: 'bytes that are not UTF-8', body: Buffer.from([0xff]), text: INVALID },
  { name: 'an object for a description', body: '{"description":{}}', text: INVALID },
  { name: 'a text for a config', body: '{"config":"x"}', text: INVALID },
  { name: 'a setting that is an object', body: '{"config":{"a":{}}}', text: INVALID },
  { name: 'a principal alone', body: '{"principal":"p"}', text: TOGETHER },
  { name: 'a keytab alone', body: '{"config":{"keytabURI":"k"}}', text: TOGETHER },
  { name: 'an empty keytab', body: '{"config":{"principal":"p","keytabURI":""}}', text: TOGETHER },
]
test.each(refused)('$name is refused', ({ body, text }) => {
  expect(() => parseNamespaceChange(Buffer.from(body as string))).toThrow(
    new ServiceError('invalid_properties', text),
  )
})

test('a namespace prints compactly, with its owner among the settings', () => {
  const properties = { ...DEFAULT_NAMESPACE_PROPERTIES, description: 'Default Namespace' }
  expect(printNamespace(DEFAULT_NAMESPACE, properties)).toBe(
    '{"name":"default","description":"Default Namespace","config":{"scheduler.queue.name":""}}',
  )
  const owned = mergeNamespaceProperties(properties, { description: '"', principal: 'p', keytabUri: 'k' })
  expect(printNamespace(parseNamespaceName('a_1'), owned)).toBe(
    '{"name":"a_1","description":"\\"","config":{"scheduler.queue.name":"","principal":"p","keytabURI":"k"}}',
  )
})
