/**
 * Which addresses the service may be told to connect to. A webhook's target is named by a client: without this it could
 * reach what only this machine or its network can, and learn from the outcome what is there.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** This machine, private networks, links, and everything else that is no address of the internet (IANA's registries). */
const NOT_PUBLIC = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // also where clouds answer with their machines' secrets
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

/** What the internet has of IPv6; but for networks that stand for IPv4 addresses, and for documents. */
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

/** `address` as text, IPv4 or IPv6. What is none of both is not public either. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !NOT_PUBLIC.check(address, 'ipv4')
  if (family === 6) return PUBLIC_IPV6.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6')
  return false
}

/** The host of a URL as an address, if it is one. */
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
 * Looks names up for a connection, and fails if any address of a name is not public. What it answers is what is connected
 * to, so a name cannot mean something else in between.
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
