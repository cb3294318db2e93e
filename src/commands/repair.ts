/** `millrace repair`: saves the readable part of a damaged store into a new one. */

import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { documentsIn, logsIn } from '../../storage/level/closed-content.ts'
import { type ClosedStore, openClosedStore } from '../../storage/level/closed-store.ts'
import { openStorage } from '../../storage/level/open.ts'
import { salvageLog } from '../../storage/level/salvage.ts'
import type { EventBlock, LogId, LogRestore } from '../../storage/log.ts'
import { slicesOfRun } from '../../storage/slices.ts'
import type { Storage } from '../../storage/storage.ts'
import { DEFAULT_NAMESPACE, parseStreamName, type StreamId, streamKey } from '../streams/names.ts'
import { DEFAULT_NAMESPACE_PROPERTIES } from '../streams/namespace.ts'
import { DEFAULT_PROPERTIES, type StreamProperties } from '../streams/properties.ts'
import { Registry } from '../streams/registry.ts'
import { restoreStream, restoreTables } from '../streams/restore.ts'
import { SECRET_KEY_FILE } from '../tables/secret-key.ts'
import { CatalogContent } from './catalog-content.ts'
import type { Command, CommandEnvironment } from './command.ts'
import { assertDataFolder, KAFKA_SWITCHED, KAFKA_VALUED } from './command-store.ts'
import { dataFolderOf } from './data-folder.ts'
import { doubtfulEndText, Findings, fileDamageText, sequencesText } from './findings.ts'
import { Flags } from './flags.ts'
import { fillNewFolder } from './new-folder.ts'
import { Progress } from './progress.ts'
import { countText } from './quantities.ts'
import { verifyFolder } from './verify.ts'

export const repair: Command = {
  name: 'repair',
  about: 'saves the readable part of a damaged store into a new one',
  help: `millrace repair [--data FOLDER] --to FOLDER

Reads a damaged data folder that no service has open, changes nothing in it, and writes every namespace, every stream with its
properties, and every event that is sound, with its time, into a new folder. It prints everything it leaves out. In the new store
sequences have no gaps, so the new store refuses older cursors. It reads LevelDB's files itself: it also works where LevelDB
refuses to open them, and where the FORMAT stamp is gone.

If there is damage, logs that no stream points to are saved, too, as streams named recovered_log_<number>: a stream whose document
is lost leaves such a log. So does one that was truncated or deleted shortly before; delete the streams that you do not
need.

SQL jobs that have not ended are left out, because their states refer to positions of the old store: create them again. The key of
stored secrets is copied.

exit code: 0 everything was saved, 1 something was left out, 2 could not be done
`,

  async run(args, environment) {
    const flags = Flags.parse(args, { valued: ['data', 'to', ...KAFKA_VALUED], switches: KAFKA_SWITCHED })
    assertDataFolder('repair', flags, environment)
    const data = dataFolderOf(flags, environment)
    const to = flags.required('to', 'the folder to be made')
    const findings = new Findings(environment.print)
    const store = await openClosedStore(
      data,
      (damage) => findings.add(fileDamageText(damage)),
      'assume format',
    )
    try {
      const leftOut = await fillNewFolder(to, async (partial) => {
        const salvage = new Salvage(store, findings, environment)
        const lost = await salvage.into(partial)
        if (existsSync(join(data, SECRET_KEY_FILE)))
          copyFileSync(join(data, SECRET_KEY_FILE), join(partial, SECRET_KEY_FILE))
        if ((await verifyFolder(partial, { ...environment, print: () => {} })) > 0) {
          throw new Error(`the new store ${partial} does not verify; check that disk`)
        }
        return lost
      })
      return leftOut === 0 ? 0 : 1
    } finally {
      await store.close()
    }
  },
}

class Salvage {
  readonly #store: ClosedStore
  readonly #findings: Findings
  readonly #environment: CommandEnvironment
  readonly #progress: Progress
  #events = 0
  #leftOut = 0

  constructor(store: ClosedStore, findings: Findings, environment: CommandEnvironment) {
    this.#store = store
    this.#findings = findings
    this.#environment = environment
    this.#progress = new Progress(environment)
  }

  /** Resolves with the number of ranges of events and of documents that were left out. */
  async into(folder: string): Promise<number> {
    const { files, changed } = this.#store
    const catalog = this.#readCatalog()
    for (const damage of changed.filter(({ harmless }) => !harmless))
      this.#leaveOut(`what was written last, as far as it is lost: ${fileDamageText(damage)}`)
    if (files.end.kind === 'doubtful') this.#leaveOut(doubtfulEndText(files.end.damage))
    const { nowMs } = this.#environment
    const storage = await openStorage(folder, { nowMs, sync: true })
    try {
      await this.#fill(storage, catalog)
    } finally {
      await storage.close()
    }
    const streams = countText(catalog.streams.size, 'stream')
    this.#environment.print(`${streams} and ${countText(this.#events, 'event')} saved\n`)
    return this.#leftOut
  }

  #readCatalog(): CatalogContent {
    const catalog = new CatalogContent((problem) => this.#leaveOut(problem))
    for (const { collection, id, text, sound } of documentsIn(this.#store.files)) {
      if (!sound) {
        this.#findings.add(
          `document ${collection}/${id} does not match its checksum; look whether it is right: ${text.slice(0, 500)}`,
        )
      }
      catalog.take(collection, id, text)
    }
    return catalog
  }

  async #fill(storage: Storage, catalog: CatalogContent): Promise<void> {
    const registry = await Registry.load(storage.catalog)
    const target = { registry, log: storage.log }
    const namespaces = new Map(catalog.namespaces)
    for (const { id } of catalog.streams.values()) {
      const { namespace } = id
      if (namespace === DEFAULT_NAMESPACE || namespaces.has(namespace)) continue
      this.#leaveOut(`the properties of namespace ${namespace}, which is made anew`)
      namespaces.set(namespace, DEFAULT_NAMESPACE_PROPERTIES)
    }
    await registry.change(async () => {
      for (const [name, properties] of namespaces) await registry.putNamespace(name, properties)
    })
    // The oldest first, so that each keeps its table.
    const streams = [...catalog.streams.values()].sort((a, b) => a.firstLog - b.firstLog)
    for (const { id, log, properties } of streams) await this.#save(target, id, log, properties)
    for (const { id, ...tables } of streams) await restoreTables(registry, id, tables)
    if (catalog.others.length > 0) await storage.catalog.commit(catalog.others)
    for (const { name, jid, namespace } of catalog.liveJobs)
      this.#leaveOut(
        `job ${name} (${jid}) of namespace ${namespace}: its state belongs to the old store; create it again`,
      )
    if (this.#findings.count === 0 && this.#leftOut === 0) return
    for (const log of logsIn(this.#store.files)) {
      if (catalog.streams.has(log)) continue
      const stream = parseStreamName(`recovered_log_${log}`)
      await this.#save(target, { namespace: DEFAULT_NAMESPACE, stream }, log, DEFAULT_PROPERTIES)
    }
  }

  async #save(
    target: Parameters<typeof restoreStream>[0],
    id: StreamId,
    log: LogId,
    properties: StreamProperties,
  ): Promise<void> {
    const name = streamKey(id)
    const before = this.#events
    await restoreStream(target, id, properties, async (restore) => {
      const blocks = salvageLog(this.#store.files, log, (from, to, reason) => {
        this.#leaveOut(`stream ${name}, ${sequencesText(from, to)}: ${reason}`)
      })
      for (const block of blocks) {
        await addBlock(restore, block, (count) => {
          this.#events += count
        })
        this.#progress.at(() => `${countText(this.#events, 'event')} saved; at stream ${name}`)
      }
    })
    this.#environment.print(`stream ${name}: ${countText(this.#events - before, 'event')}\n`)
  }

  #leaveOut(text: string): void {
    this.#leftOut++
    this.#environment.print(`left out: ${text}\n`)
  }
}

async function addBlock(
  restore: LogRestore,
  block: EventBlock,
  onAdded: (count: number) => void,
): Promise<void> {
  for (const run of block.runs) {
    const slices = slicesOfRun(block, run)
    await restore.add(slices, run.headers, run.timestampMs)
    onAdded(slices.count)
  }
}
