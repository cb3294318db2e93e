/** Which requests belong to one client. */
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { Grants } from '../../src/auth/grants.ts'
import type { TokenHash } from '../../src/auth/token-hash.ts'
import { clientKey } from '../../src/http/server/client-key.ts'

const addresses: readonly [address: string | undefined, key: string][] = [
  ['192.0.2.1', 'address:192.0.2.1'],
  ['::ffff:192.0.2.1', 'address:192.0.2.1'],
  ['::FFFF:192.0.2.1', 'address:192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', 'address:2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', 'address:2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::9', 'address:2001:db8:1:2::/64'],
  ['2001:db8::9', 'address:2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'address:fe80:0:0:0::/64'],
  ['::1', 'address:0:0:0:0::/64'],
  ['64:ff9b::192.0.2.33', 'address:64:ff9b:0:0::/64'],
  [undefined, 'address:closed'],
]

test.each(addresses)('a request from %s is of %s', (remoteAddress, key) => {
  expect(clientKey(from(remoteAddress), undefined)).toBe(key)
  expect(clientKey(from(remoteAddress), null)).toBe(key)
})

test('a good token is the client, wherever it comes from', () => {
  const client = {
    name: 'shop',
    grants: new Grants([]),
    expiresMs: undefined,
    rate: undefined,
    hash: 'x' as TokenHash,
  }
  expect(clientKey(from('192.0.2.1'), client)).toBe('token:shop')
  expect(clientKey(from('192.0.2.2'), client)).toBe('token:shop')
})

function from(remoteAddress: string | undefined): IncomingMessage {
  return { socket: { remoteAddress } } as IncomingMessage
}
