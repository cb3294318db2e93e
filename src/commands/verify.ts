/** `millrace verify`: reads all of a closed store and reports everything that differs from what was written. */
import { type ClosedStore, openClosedStore } from '../../storage/level/closed-store.ts'
import { FORMAT_VERSION } from '../../storage/level/format-stamp.ts'
import { type ScrubTotals, scrub } from '../../storage/level/scrub.ts'
import type { FileDamage } from '../../storage/level-files/file-damage.ts'
import { CatalogContent } from './catalog-content.ts'
import type { Command, CommandEnvironment } from './command.ts'
import { assertDataFolder, KAFKA_SWITCHED, KAFKA_VALUED, kafkaOf } from './command-store.ts'
import { dataFolderOf } from './data-folder.ts'
import { damageText, doubtfulEndText, Findings, fileDamageText } from './findings.ts'
import { Flags } from './flags.ts'
import { Progress } from './progress.ts'
import { bytesText, countText } from './quantities.ts'
import { checkSavepoints } from './savepoint-checks.ts'
import { verifyShared } from './verify-shared.ts'

export const verify: Command = {
  name: 'verify',
  about: 'checks every byte of a closed store',
  help: `millrace verify [--data FOLDER] [--deep]
       millrace verify --log kafka://HOST:PORT [--data FOLDER] [the other flags of the service for Kafka]

Reads a data folder (default ./data, or MILLRACE_DATA) that no service has open, and changes nothing in it. Checks every checksum, that no event is missing and
no time goes back, and that every part belongs to a log or an upload. Checks the savepoints of jobs in the folder too. Damage is printed, by stream and sequence.
That is also what --deep asks for.

With --log, reads every event of the streams in Kafka, whose checksums are checked on the way, and every stream's document in the
catalog. Services may run. The folder is that of this command as a node, so it is not the folder of a running service.

exit code: 0 sound, 1 damaged, 2 could not be checked
`,

  async run(args, environment) {
    const flags = Flags.parse(args, {
      valued: ['data', ...KAFKA_VALUED],
      switches: ['deep', ...KAFKA_SWITCHED],
    })
    if (flags.has('deep')) assertDataFolder('verify --deep', flags, environment)
    const damaged =
      kafkaOf(flags, environment) === undefined
        ? await verifyFolder(dataFolderOf(flags, environment), environment)
        : await verifyShared(flags, environment)
    return damaged === 0 ? 0 : 1
  },
}

/** Prints the damage and a summary; resolves with the number of findings. */
export async function verifyFolder(folder: string, environment: CommandEnvironment): Promise<number> {
  const findings = new Findings(environment.print)
  const onFileDamage = (damage: FileDamage) => findings.add(fileDamageText(damage))
  const store = await openClosedStore(folder, onFileDamage)
  try {
    const catalog = new CatalogContent((problem) => findings.add(problem))
    const totals = verifyContent(store, catalog, findings, environment)
    const savepoints = await checkSavepoints(folder, (text) => findings.add(text))
    environment.print(summary(folder, store, catalog, totals))
    if (savepoints > 0) environment.print(`${countText(savepoints, 'savepoint')} of jobs\n`)
  } finally {
    await store.close()
  }
  const verdict = findings.count === 0 ? 'sound' : `damaged: ${countText(findings.count, 'finding')}`
  environment.print(`${verdict}\n`)
  return findings.count
}

function verifyContent(
  store: ClosedStore,
  catalog: CatalogContent,
  findings: Findings,
  environment: CommandEnvironment,
): ScrubTotals {
  const progress = new Progress(environment)
  const { fileBytes, end } = store.files
  const totals = scrub(store, {
    document: (collection, id, text) => catalog.take(collection, id, text),
    damage: (damage) => findings.add(damageText(damage, catalog)),
    progress: (bytes) =>
      progress.at(() => `${bytesText(bytes)} read; the files have ${bytesText(fileBytes)}`),
  })
  catalog.checkTogether(Math.max(0, ...totals.logs.keys()))
  if (end.kind === 'doubtful' && store.changed.length === 0) findings.add(doubtfulEndText(end.damage))
  for (const sentence of store.besides) findings.add(sentence)
  return totals
}

function summary(folder: string, store: ClosedStore, catalog: CatalogContent, totals: ScrubTotals): string {
  const { files } = store
  let events = 0
  let bodyBytes = 0
  let retired = 0
  for (const [log, content] of totals.logs) {
    if (catalog.streams.has(log)) {
      events += content.events
      bodyBytes += content.bodyBytes
    } else {
      retired++
    }
  }
  const lines = [
    `${folder}: format ${FORMAT_VERSION}, ${countText(files.fileCount, 'file')} of ${bytesText(files.fileBytes)}`,
    `${countText(catalog.streams.size, 'stream')}, ${countText(events, 'event')} with ${bytesText(bodyBytes)} of bodies`,
  ]
  if (retired > 0) lines.push(`${countText(retired, 'log')} of streams truncated or deleted, to be removed`)
  if (totals.abandonedUploads > 0)
    lines.push(`${countText(totals.abandonedUploads, 'abandoned upload')}, to be removed`)
  if (totals.strayUploads > 0)
    lines.push(`${countText(totals.strayUploads, 'upload')} that belong to nothing and only take space`)
  if (files.end.kind === 'torn' && store.changed.length === 0)
    lines.push('the last write was cut off, as a crash leaves it: it had not been answered')
  return `${lines.join('\n')}\n`
}
