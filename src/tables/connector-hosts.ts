/** The hosts that integrations of clients may name: `--connector-hosts`, as `host` for all ports or `host:port`. */
import { invalid } from './refusal.ts'
import type { Access } from './table.ts'
import { hostsOf } from './user-config.ts'

export interface ConnectorHosts {
  /** Throws ServiceError 'invalid_table' `host db.example is not allowed; …`. */
  assertAllowed(access: Access): void
}

/** Undefined: all hosts. */
export function connectorHosts(list: readonly string[] | undefined): ConnectorHosts {
  if (list === undefined) return { assertAllowed: () => {} }
  const allowed = new Set(list.map((entry) => entry.toLowerCase()))
  return {
    assertAllowed(access) {
      for (const { host, port } of hostsOf(access)) {
        const forms = [host, `[${host}]`, `${host}:${port}`, `[${host}]:${port}`]
        // Without brackets, an IPv6 address and its port would be another address.
        const usable = host.includes(':') ? [host, `[${host}]`, `[${host}]:${port}`] : forms
        if (usable.some((form) => allowed.has(form))) continue
        throw invalid(
          `host ${host.slice(0, 253)} is not allowed; the operator may allow it with --connector-hosts, or declare the source in --sources`,
        )
      }
    },
  }
}
