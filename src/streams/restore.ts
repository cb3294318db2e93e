/** Fills streams with events that already have timestamps. */
import type { EventLog, LogRestore } from '../../storage/log.ts'
import { existingStream } from './existing.ts'
import type { StreamId } from './names.ts'
import { DEFAULT_NAMESPACE_PROPERTIES } from './namespace.ts'
import type { StreamProperties } from './properties.ts'
import type { Registry, Stream } from './registry.ts'

/**
 * Sets the properties of the stream and replaces its events by those that `fill` adds. Creates the stream and its
 * namespace if they are missing. If `fill` throws, the stream does not change. The stream points to the new log only
 * once all events are on disk; the janitor drops an unfinished log. Other changes may be made meanwhile.
 */
export async function restoreStream(
  { registry, log }: { readonly registry: Registry; readonly log: EventLog },
  id: StreamId,
  properties: StreamProperties,
  fill: (restore: LogRestore) => Promise<void>,
): Promise<void> {
  const target = await registry.change(() => registry.reserveLog())
  const restore = log.restore(target)
  await fill(restore)
  await restore.finish()
  await registry.change(async () => {
    if (registry.namespace(id.namespace) === undefined) {
      await registry.putNamespace(id.namespace, DEFAULT_NAMESPACE_PROPERTIES)
    }
    await registry.putOnLog(id, target, properties)
  })
}

/**
 * Gives an existing stream these views, which count as younger than all present streams, and its own table unless it is
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
