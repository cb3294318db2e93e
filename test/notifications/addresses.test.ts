/** Which addresses are public, and that a name is checked where it is connected to. */
import { expect, test } from 'vitest'
import { addressInUrl, isPublicAddress, publicLookup } from '../../src/notifications/addresses.ts'

const closed = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.168.1.1',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  'localhost',
  '',
]
test.each(closed)('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false))

const open = [
  '8.8.8.8',
  '1.1.1.1',
  '100.63.255.255',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.1.1',
  '2606:4700::1111',
  '2a00::1',
]
test.each(open)('%s is', (address) => expect(isPublicAddress(address)).toBe(true))

const urls = [
  ['http://127.1/', '127.0.0.1'],
  ['http://2130706433/', '127.0.0.1'],
  ['http://0x7f.0.0.1/', '127.0.0.1'],
  ['http://0177.0.0.1/', '127.0.0.1'],
  ['http://[::1]:80/', '::1'],
  ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
  ['http://①②⑦.⓪.⓪.①/', '127.0.0.1'],
  ['http://localhost/', undefined],
] as const
test.each(urls)('%s has the address %s', (url, address) => expect(addressInUrl(new URL(url))).toBe(address))

const answers = [
  { addresses: ['8.8.8.8'], error: undefined },
  { addresses: ['8.8.8.8', '127.0.0.1'], error: 'x is 127.0.0.1, which is not public' },
  { addresses: ['::1'], error: 'x is ::1, which is not public' },
  { addresses: [], error: 'x is nowhere, which is not public' },
]
test.each(answers)('a name that is $addresses', ({ addresses, error }) => {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const lookup = publicLookup((_name, _options, done) => done(null, found))
  for (const all of [true, false]) {
    lookup('x', { all }, (failure, answered) => {
      expect(failure?.message).toBe(error)
      if (error === undefined) expect(answered).toEqual(all ? found : '8.8.8.8')
      else expect(answered).toEqual([])
    })
  }
})
