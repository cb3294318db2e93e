/** The hosts that integrations of clients may name: `--connector-hosts`, as `host` for all ports or `host:port`. */
import type { ServiceError } from '../service-error.ts'
import type { HostPort } from './postgres-uri.ts'
import { invalid } from './refusal.ts'
import type { Access } from './table.ts'
import { hostsOf } from './user-config.ts'

export interface ConnectorHosts {
  /** Throws ServiceError 'invalid_table' `host db.example is not allowed; …`. */
  assertAllowed(access: Access): void
  /**
   * For options of tables, which scripts may have: a host must be named, even where all are allowed to integrations, or be that of a
   * declared source, with its port. Throws as `assertAllowed`.
   */
  assertNamed(access: Access, declared: readonly Access[]): void
}

/** Undefined: all hosts, of integrations. */
export function connectorHosts(list: readonly string[] | undefined): ConnectorHosts {
  const allowed = new Set((list ?? []).map((entry) => entry.toLowerCase()))
  const isNamed = (address: HostPort) => formsOf(address).some((form) => allowed.has(form))
  return {
    assertAllowed(access) {
      if (list === undefined) return
      for (const address of hostsOf(access)) if (!isNamed(address)) throw notAllowed(address)
    },
    assertNamed(access, declared) {
      const ofSources = declared.flatMap(hostsOf)
      const isOfSource = ({ host, port }: HostPort) =>
        ofSources.some((one) => one.host === host && one.port === port)
      for (const address of hostsOf(access))
        if (!isNamed(address) && !isOfSource(address)) throw notAllowed(address)
    },
  }
}

/** Without brackets, an IPv6 address and its port would be another address. */
function formsOf({ host, port }: HostPort): readonly string[] {
  const withPort = host.includes(':') ? [`[${host}]:${port}`] : [`${host}:${port}`, `[${host}]:${port}`]
  return [host, `[${host}]`, ...withPort]
}

function notAllowed({ host }: HostPort): ServiceError {
  return invalid(
    `host ${host.slice(0, 253)} is not allowed; the operator may allow it with --connector-hosts, or declare the source in --sources`,
  )
}
