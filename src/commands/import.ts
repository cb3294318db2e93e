/** `millrace import`: writes the events of an export into an empty stream, with their times and in their order. */
import { type FileHandle, open } from 'node:fs/promises'
import { openStorage } from '../../storage/level/open.ts'
import type { EventHeaders, EventLog, LogRestore } from '../../storage/log.ts'
import { slicesOfBodies } from '../../storage/slices.ts'
import {
  DEFAULT_NAMESPACE,
  parseNamespaceName,
  parseStreamName,
  type StreamId,
  streamKey,
} from '../streams/names.ts'
import { DEFAULT_PROPERTIES } from '../streams/properties.ts'
import { Registry } from '../streams/registry.ts'
import { restoreStream } from '../streams/restore.ts'
import { type Command, UsageError } from './command.ts'
import { dataFolderOf } from './data-folder.ts'
import { type ExportedEvent, exportedEvents } from './export-lines.ts'
import { Flags } from './flags.ts'
import { Progress } from './progress.ts'
import { countText } from './quantities.ts'

export const importEvents: Command = {
  name: 'import',
  about: 'brings the export of a stream back',
  help: `millrace import [--data FOLDER] --stream [NAMESPACE:]STREAM [--file FILE]

Reads the answer of GET …/streams/<stream>/export from the file or from standard input, and writes its events to the stream,
with the times they had and in their order: all of them or none. The stream must be empty. A missing stream and its namespace are
created with default properties. No service may have the data folder open; a missing folder is created.

Events keep their age: events older than the stream's ttl expire as soon as they are imported.

exit code: 0 done, 2 nothing was imported
`,

  async run(args, environment) {
    const flags = Flags.parse(args, { valued: ['data', 'stream', 'file'] })
    const data = dataFolderOf(flags, environment)
    const id = streamFrom(flags.required('stream', 'the stream, as in default:logs'))
    const file = flags.optional('file')
    const input = file === undefined ? environment.input : (await opened(file)).createReadStream()
    const storage = await openStorage(data, { nowMs: environment.nowMs, sync: true })
    try {
      const registry = await Registry.load(storage.catalog)
      const properties = await propertiesOfEmpty(registry, storage.log, id)
      const progress = new Progress(environment)
      let events = 0
      await restoreStream({ registry, log: storage.log }, id, properties, async (restore) => {
        const gathered = new GatheredEvents(restore)
        for await (const event of exportedEvents(input)) {
          await gathered.add(event)
          events++
          progress.at(() => `${countText(events, 'event')} read`)
        }
        await gathered.flush()
      })
      environment.print(`stream ${streamKey(id)}: ${countText(events, 'event')} imported\n`)
    } finally {
      await storage.close()
    }
    return 0
  },
}

function streamFrom(text: string): StreamId {
  const colon = text.indexOf(':')
  const namespace = colon === -1 ? DEFAULT_NAMESPACE : parseNamespaceName(text.slice(0, colon))
  return { namespace, stream: parseStreamName(text.slice(colon + 1)) }
}

/** Of the stream, if it is there; refuses one that has events. */
async function propertiesOfEmpty(registry: Registry, log: EventLog, { namespace, stream }: StreamId) {
  const existing = registry.find(namespace, stream)
  if (existing === undefined) return DEFAULT_PROPERTIES
  const tail = await log.tail(existing.log)
  if (tail !== undefined && tail.firstSequence < tail.nextSequence) {
    const name = streamKey({ namespace, stream })
    throw new UsageError(`stream ${name} is not empty; truncate it first, or import into another`)
  }
  return existing.properties
}

async function opened(file: string): Promise<FileHandle> {
  try {
    return await open(file)
  } catch (cause) {
    throw new UsageError(`--file ${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** Bodies of neighbours are put together up to this, so that they are stored with one copy. */
const GATHERED_BYTES = 256 * 1024

/** Gathers neighbours with the same time and headers. */
class GatheredEvents {
  readonly #restore: LogRestore
  #bodies: Buffer[] = []
  #bytes = 0
  #timestampMs = 0
  #headers: EventHeaders = []

  constructor(restore: LogRestore) {
    this.#restore = restore
  }

  async add({ timestampMs, headers, body }: ExportedEvent): Promise<void> {
    const joins =
      timestampMs === this.#timestampMs && this.#bytes < GATHERED_BYTES && sameHeaders(headers, this.#headers)
    if (!joins) await this.flush()
    this.#timestampMs = timestampMs
    this.#headers = headers
    this.#bodies.push(body)
    this.#bytes += body.length + 1
  }

  async flush(): Promise<void> {
    const bodies = this.#bodies
    if (bodies.length === 0) return
    this.#bodies = []
    this.#bytes = 0
    await this.#restore.add(slicesOfBodies(bodies), this.#headers, this.#timestampMs)
  }
}

function sameHeaders(a: EventHeaders, b: EventHeaders): boolean {
  return a.length === b.length && a.every(([name, value], i) => name === b[i]?.[0] && value === b[i]?.[1])
}
