/** `millrace import`: writes the events of exports into empty streams, with their times and in their order. */
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
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
import { type Command, type CommandEnvironment, UsageError } from './command.ts'
import { KAFKA_SWITCHED, KAFKA_VALUED, openCommandStore } from './command-store.ts'
import { type ExportedEvent, exportedEvents } from './export-lines.ts'
import { Flags } from './flags.ts'
import { Progress } from './progress.ts'
import { countText } from './quantities.ts'

export const importEvents: Command = {
  name: 'import',
  about: 'brings exports of streams back',
  help: `millrace import [--data FOLDER] --stream [NAMESPACE:]STREAM [--file FILE]
       millrace import [--data FOLDER] --folder FOLDER
       millrace import --log kafka://HOST:PORT … [the other flags of the service for Kafka]

Reads the answer of GET …/streams/<stream>/export from the file or from standard input, and writes its events to the stream,
with the times they had and in their order: all of them or none. The stream must be empty. A missing stream and its namespace are
created with default properties. No service may have the data folder open; a missing folder is created.

With --folder, imports every file <namespace>:<stream>.ndjson of the folder, one after another, and stops at the first that it
cannot import. A stream that has events already is then left out, so the command can be repeated.

With --log, the streams are in Kafka, and services may run. The folder --data is that of this command as a node, so it is not the
folder of a running service.

Events keep their age: events older than the stream's ttl expire as soon as they are imported.

exit code: 0 done, 2 nothing was imported, or not all of the folder
`,

  async run(args, environment) {
    const flags = Flags.parse(args, {
      valued: ['data', 'stream', 'file', 'folder', ...KAFKA_VALUED],
      switches: KAFKA_SWITCHED,
    })
    const sources = await sourcesOf(flags, environment)
    const storage = await openCommandStore(flags, environment)
    try {
      const registry = await Registry.load(storage.catalog, storage.cluster)
      const store = { registry, log: storage.log, environment }
      for (const { id, open, isOneOfMany } of sources) {
        if (isOneOfMany && (await hasEvents(store, id)))
          environment.print(`stream ${streamKey(id)}: not empty, left out\n`)
        else await importStream(store, id, await open())
      }
    } finally {
      await storage.close()
    }
    return 0
  },
}

interface Source {
  readonly id: StreamId
  readonly isOneOfMany: boolean
  open(): Promise<AsyncIterable<Uint8Array>>
}

const FILE = /^(.+)\.ndjson$/

/** Throws UsageError. */
async function sourcesOf(flags: Flags, environment: CommandEnvironment): Promise<Source[]> {
  const folder = flags.optional('folder')
  if (folder !== undefined) {
    if (flags.optional('stream') !== undefined || flags.optional('file') !== undefined)
      throw new UsageError('--folder names the streams by its files; leave --stream and --file out')
    const names = (await filesOf(folder)).flatMap((name) => FILE.exec(name)?.[1] ?? [])
    if (names.length === 0) throw new UsageError(`--folder ${folder} has no file <namespace>:<stream>.ndjson`)
    return names.sort().map((name) => ({
      id: streamFrom(name),
      isOneOfMany: true,
      open: async () => (await opened(join(folder, `${name}.ndjson`))).createReadStream(),
    }))
  }
  const id = streamFrom(flags.required('stream', 'the stream, as in default:logs'))
  const file = flags.optional('file')
  const input = file === undefined ? environment.input : (await opened(file)).createReadStream()
  return [{ id, isOneOfMany: false, open: async () => input }]
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    throw new UsageError(`--folder ${folder} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

interface OpenStore {
  readonly registry: Registry
  readonly log: EventLog
  readonly environment: CommandEnvironment
}

async function importStream(store: OpenStore, id: StreamId, input: AsyncIterable<Uint8Array>): Promise<void> {
  const { registry, environment } = store
  if (await hasEvents(store, id)) {
    throw new UsageError(`stream ${streamKey(id)} is not empty; truncate it first, or import into another`)
  }
  const properties = registry.find(id.namespace, id.stream)?.properties ?? DEFAULT_PROPERTIES
  const progress = new Progress(environment)
  let events = 0
  await restoreStream(store, id, properties, async (restore) => {
    const gathered = new GatheredEvents(restore)
    for await (const event of exportedEvents(input)) {
      await gathered.add(event)
      events++
      progress.at(() => `${countText(events, 'event')} read`)
    }
    await gathered.flush()
  })
  environment.print(`stream ${streamKey(id)}: ${countText(events, 'event')} imported\n`)
}

async function hasEvents({ registry, log }: OpenStore, { namespace, stream }: StreamId): Promise<boolean> {
  const existing = registry.find(namespace, stream)
  const tail = existing && (await log.tail(existing.log))
  return tail !== undefined && tail.firstSequence < tail.nextSequence
}

function streamFrom(text: string): StreamId {
  const colon = text.indexOf(':')
  const namespace = colon === -1 ? DEFAULT_NAMESPACE : parseNamespaceName(text.slice(0, colon))
  return { namespace, stream: parseStreamName(text.slice(colon + 1)) }
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
