/** Properties of a namespace, checked by src/http/cdap/namespace-json.ts. */

/** Keeps the JSON type that the client sent. A number keeps its source text: `1.50`, and more digits than a double has. */
export type SettingValue = string | boolean | { readonly number: string }

export interface NamespaceProperties {
  /** A missing description is read back as the empty text. */
  readonly description: string
  /** In the client's order. A Map, so that no key has a special meaning. */
  readonly config: ReadonlyMap<string, SettingValue>
  /** Kerberos principal and the location of its keytab: both or neither. */
  readonly principal?: string
  readonly keytabUri?: string
}

/** The properties that one request sets. The others do not change. */
export type NamespaceChange = Partial<NamespaceProperties>

/** A setting of every namespace that does not set it: the queue to which CDAP submits its jobs. */
export const SCHEDULER_QUEUE_NAME = 'scheduler.queue.name'

export const DEFAULT_NAMESPACE_PROPERTIES: NamespaceProperties = Object.freeze({
  description: '',
  config: new Map<string, SettingValue>([[SCHEDULER_QUEUE_NAME, '']]),
})

/** `current` with the properties of `change`; `config` is merged setting by setting. */
export function mergeNamespaceProperties(
  current: NamespaceProperties,
  change: NamespaceChange,
): NamespaceProperties {
  if (Object.keys(change).length === 0) return current
  const config = change.config === undefined ? current.config : new Map([...current.config, ...change.config])
  return Object.freeze({ ...current, ...change, config })
}
