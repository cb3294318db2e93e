/** Streams of a store that nobody serves, filled with events that have their times already. */
import type { EventLog, LogRestore } from '../../storage/log.ts'
import { existingStream } from './existing.ts'
import type { StreamId } from './names.ts'
import { DEFAULT_NAMESPACE_PROPERTIES } from './namespace.ts'
import type { StreamProperties } from './properties.ts'
import type { Registry, Stream } from './registry.ts'

/**
 * The stream has these properties and the events that `fill` adds, or, if `fill` throws, is what it was; if it is missing it
 * is made, and so is its namespace. It points to the log only once all events are on disk; a log that was given up half-way
 * is dropped by the janitor.
 */
export function restoreStream(
  { registry, log }: { readonly registry: Registry; readonly log: EventLog },
  id: StreamId,
  properties: StreamProperties,
  fill: (restore: LogRestore) => Promise<void>,
): Promise<void> {
  return registry.change(async () => {
    const target = await registry.reserveLog()
    const restore = log.restore(target)
    await fill(restore)
    await restore.finish()
    if (registry.namespace(id.namespace) === undefined) {
      await registry.putNamespace(id.namespace, DEFAULT_NAMESPACE_PROPERTIES)
    }
    await registry.putOnLog(id, target, properties)
  })
}

/**
 * The stream, which is there, has these views, younger than all streams there are now, and its own table only if it is not
 * disabled.
 */
export function restoreTables(
  registry: Registry,
  id: StreamId,
  { views, tableDisabled }: Pick<Stream, 'views' | 'tableDisabled'>,
): Promise<void> {
  return registry.change(async () => {
    const afterLog = registry.lastLog
    const restored = [...views].map(([name, view]) => [name, { ...view, afterLog }] as const)
    if (restored.length > 0) await registry.putViews(existingStream(registry, id), new Map(restored))
    if (tableDisabled) await registry.putTableDisabled(existingStream(registry, id), true)
  })
}
