/**
 * Notifies subscribers of the size of a stream: once when they subscribe, and then whenever the stream has grown by
 * more than its threshold since the last notification. The size is all bytes since the stream was created; truncating
 * does not reduce it.
 *
 * Polls every two seconds, as CDAP does, and only streams with subscribers.
 */
import { type NamespaceName, type StreamId, streamKey } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'

const POLL_INTERVAL_MS = 2000
const MIB = 1024 * 1024

export interface SizeNotification {
  readonly timestampMs: number
  /** Bytes of event bodies. */
  readonly size: number
}

export interface Subscriber {
  notify(notification: SizeNotification): void
  /** Called when there are no further notifications: the stream has been deleted, or the service stops. */
  end(): void
}

/** A stream with subscribers. */
interface Channel {
  readonly id: StreamId
  readonly subscribers: Set<Subscriber>
  notifiedSize: number
}

export class SizeFeed implements RemovalHook {
  readonly #registry: Registry
  readonly #nowMs: () => number
  readonly #channels = new Map<string, Channel>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(registry: Registry, nowMs: () => number) {
    this.#registry = registry
    this.#nowMs = nowMs
    registry.onRemoval(this)
  }

  /** Notifies the subscriber of the current size before it returns. Returns the function that unsubscribes. */
  subscribe(stream: Stream, subscriber: Subscriber): () => void {
    if (this.#stopped) {
      subscriber.end()
      return () => {}
    }
    const key = streamKey(stream.id)
    const size = stream.counts.wholeBytes
    const channel = this.#channels.get(key) ?? { id: stream.id, subscribers: new Set(), notifiedSize: size }
    this.#channels.set(key, channel)
    channel.subscribers.add(subscriber)
    this.#timer ??= setInterval(() => this.poll(), POLL_INTERVAL_MS).unref()
    subscriber.notify({ timestampMs: this.#nowMs(), size })
    return () => {
      channel.subscribers.delete(subscriber)
      if (channel.subscribers.size > 0 || this.#channels.get(key) !== channel) return
      this.#channels.delete(key)
      if (this.#channels.size === 0) this.#stopPolling()
    }
  }

  /** Sends notifications for streams that have grown by more than their threshold. */
  poll(): void {
    for (const channel of this.#channels.values()) {
      const stream = this.#registry.find(channel.id.namespace, channel.id.stream)
      if (stream === undefined) continue
      const size = stream.counts.wholeBytes
      if (size - channel.notifiedSize <= stream.properties.notificationThresholdMb * MIB) continue
      channel.notifiedSize = size
      const notification = { timestampMs: this.#nowMs(), size }
      for (const subscriber of channel.subscribers) subscriber.notify(notification)
    }
  }

  stop(): void {
    this.#stopped = true
    this.#stopPolling()
    for (const key of [...this.#channels.keys()]) this.#end(key)
  }

  changesOnRemoval(): readonly [] {
    return []
  }

  removed(streams: readonly Stream[], _namespace: NamespaceName | undefined): void {
    for (const { id } of streams) this.#end(streamKey(id))
    if (this.#channels.size === 0) this.#stopPolling()
  }

  #end(key: string): void {
    const channel = this.#channels.get(key)
    this.#channels.delete(key)
    for (const subscriber of channel?.subscribers ?? []) subscriber.end()
  }

  #stopPolling(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
