/**
 * Which client a request belongs to, where clients share a resource: the token's name if tokens are required and the request
 * has a valid one, else the network address of the client. Only this file decides it.
 *
 * An IPv6 client usually has a whole /64 network to take addresses from, so its first 64 bits are the client. An IPv4
 * address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. Headers such as `X-Forwarded-For` are not read: any
 * client can write them. Behind a proxy all clients without a token have one address, and are one client.
 */
import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Client } from '../../auth/tokens.ts'
import type { ClientKey } from '../../fair-share.ts'

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
/** Of the eight groups of an IPv6 address, these name the network. */
const NETWORK_GROUPS = 4

/** `client` is null or undefined if the request has no valid token, or tokens are not required. */
export function clientKey(incoming: IncomingMessage, client: Client | null | undefined): ClientKey {
  return client ? `token:${client.name}` : addressKey(incoming.socket.remoteAddress)
}

/** `address` is a socket's `remoteAddress`, undefined once it is closed. */
export function addressKey(address: string | undefined): ClientKey {
  if (address === undefined) return 'address:closed'
  if (!address.includes(':')) return `address:${address}`
  const mapped = MAPPED_IPV4.exec(address)?.[1]
  if (mapped !== undefined) return `address:${mapped}`
  const [plain] = address.split('%', 1) as [string] // without the zone of a link-local address
  return isIPv6(plain) ? `address:${networkOf(plain)}::/64` : `address:${address}`
}

function networkOf(address: string): string {
  const [before, after] = address.split('::', 2) as [string, string?]
  const groups = before === '' ? [] : before.split(':')
  if (after !== undefined) {
    // An IPv4 tail is two groups; only their number matters here.
    const rest = after === '' ? [] : after.replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split(':')
    groups.push(...new Array(8 - groups.length - rest.length).fill('0'), ...rest)
  }
  return groups
    .slice(0, NETWORK_GROUPS)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
