/**
 * The addresses that webhooks may have. A client chooses the URL of a webhook. Without this check the URL could point
 * to servers that only this machine or its network can reach, and the client would learn from the outcome which ones
 * exist.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** This machine, private networks, link-local and all other addresses that are not public (IANA's registries). */
const NOT_PUBLIC = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // also the metadata services of clouds, which return secrets
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv4')
}

/** The public part of IPv6. NOT_PUBLIC has its networks that carry IPv4 addresses or are for documentation. */
const PUBLIC_IPV6 = new BlockList()
PUBLIC_IPV6.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv6')
}

/** Whether `address`, a text, is a public IPv4 or IPv6 address. Any other text is not public. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !NOT_PUBLIC.check(address, 'ipv4')
  if (family === 6) return PUBLIC_IPV6.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6')
  return false
}

/** The host of a URL, if it is an address. */
export function addressInUrl({ hostname }: URL): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIP(bare) === 0 ? undefined : bare
}

export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
}

type Lookup = (
  hostname: string,
  options: { readonly all: true },
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

/**
 * Resolves names for a connection, and fails if any address of a name is not public. The connection uses the addresses
 * that this function returns, so the name cannot resolve to another address between check and use.
 */
export function publicLookup(lookup: Lookup = systemLookup): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, [])
      const wrong = addresses.find(({ address }) => !isPublicAddress(address))
      if (wrong !== undefined || addresses.length === 0) {
        return done(
          new PrivateAddressError(`${hostname} is ${wrong?.address ?? 'nowhere'}, which is not public`),
          [],
        )
      }
      if (options.all) done(null, addresses)
      else done(null, addresses[0]!.address, addresses[0]!.family)
    })
  }
}
