/** Properties of a namespace, checked by src/http/cdap/namespace-json.ts. */

/** Keeps the JSON type that was sent. A number keeps its source text: `1.50`, and more digits than a double has. */
export type SettingValue = string | boolean | { readonly number: string }

export interface NamespaceProperties {
  /** Missing reads back as the empty text. */
  readonly description: string
  /** In the client's order. A Map, so that no key is special. */
  readonly config: ReadonlyMap<string, SettingValue>
  /** Kerberos principal and the place of its keytab: both or neither. */
  readonly principal?: string
  readonly keytabUri?: string
}

/** The properties that one request sets; others stay as they are. */
export type NamespaceChange = Partial<NamespaceProperties>

/** Setting of every namespace that names none: the queue CDAP gives its jobs to. */
export const SCHEDULER_QUEUE_NAME = 'scheduler.queue.name'

export const DEFAULT_NAMESPACE_PROPERTIES: NamespaceProperties = Object.freeze({
  description: '',
  config: new Map<string, SettingValue>([[SCHEDULER_QUEUE_NAME, '']]),
})

/** `current` with what `change` names replaced; `config` is merged setting by setting. */
export function mergeNamespaceProperties(
  current: NamespaceProperties,
  change: NamespaceChange,
): NamespaceProperties {
  if (Object.keys(change).length === 0) return current
  const config = change.config === undefined ? current.config : new Map([...current.config, ...change.config])
  return Object.freeze({ ...current, ...change, config })
}
