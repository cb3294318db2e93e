/** `millrace backup`: a consistent copy of a closed store, on disk and checked. */
import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { type ClosedStore, openClosedStore } from '../../storage/level/closed-store.ts'
import { syncFolder, writeStamp } from '../../storage/level/format-stamp.ts'
import { readStopRecord, STOP_RECORD } from '../../storage/level/stop-record.ts'
import type { Command, CommandEnvironment } from './command.ts'
import { assertDataFolder, KAFKA_SWITCHED, KAFKA_VALUED } from './command-store.ts'
import { dataFolderOf } from './data-folder.ts'
import { copyBeside } from './files-beside.ts'
import { Findings, fileDamageText } from './findings.ts'
import { Flags } from './flags.ts'
import { fillNewFolder } from './new-folder.ts'
import { Progress } from './progress.ts'
import { bytesText, countText } from './quantities.ts'
import { verifyFolder } from './verify.ts'

export const backup: Command = {
  name: 'backup',
  about: 'copies a closed store',
  help: `millrace backup [--data FOLDER] --to FOLDER [--no-verify]

Copies a data folder that no service has open into a new one, waits until the copy is on disk, and checks every byte of it as
'millrace verify' does, unless --no-verify says not to. The states and savepoints of SQL jobs, uploaded jars and the key of stored secrets are copied as they are. The copy is a data folder like any other: to restore it, start the
service with it, or copy it to the place of the old one. Until the check has passed it is called <folder>.partial.

exit code: 0 done, 1 the store is damaged and was not copied, 2 could not be done
`,

  async run(args, environment) {
    const flags = Flags.parse(args, {
      valued: ['data', 'to', ...KAFKA_VALUED],
      switches: ['no-verify', ...KAFKA_SWITCHED],
    })
    assertDataFolder('backup', flags, environment)
    const data = dataFolderOf(flags, environment)
    const to = flags.required('to', 'the folder to be made')
    const findings = new Findings(environment.print)
    const store = await openClosedStore(data, (damage) => findings.add(fileDamageText(damage)))
    try {
      const done = await fillNewFolder(to, async (partial) => {
        if (findings.count > 0) return undefined
        copyStore(data, store, partial, environment)
        if (flags.has('no-verify')) return true
        return (await verifyFolder(partial, environment)) === 0 || undefined
      })
      if (done) return 0
    } finally {
      await store.close()
    }
    environment.tell(
      `nothing was copied: ${data} is damaged, and 'millrace repair' saves the readable part\n`,
    )
    return 1
  },
}

function copyStore(
  data: string,
  { store, files }: ClosedStore,
  partial: string,
  environment: CommandEnvironment,
): void {
  const target = join(partial, 'store')
  mkdirSync(target)
  const progress = new Progress(environment)
  const names = files.liveFiles
  for (const [i, name] of names.entries()) {
    copyDurably(join(store, name), join(target, name))
    progress.at(() => `${i + 1} of ${countText(names.length, 'file')} copied`)
  }
  syncFolder(target)
  copyStopRecord(data, partial)
  const beside = copyBeside(data, partial, copyDurably, syncFolder)
  writeStamp(partial)
  const [count, bytes] = [names.length + beside.count, files.fileBytes + beside.bytes]
  environment.print(`${countText(count, 'file')} copied, ${bytesText(bytes)}\n`)
}

/** The record that `store` is checked against. The identity is not copied: the copy is another store (store-identity.ts). */
function copyStopRecord(data: string, partial: string): void {
  if (typeof readStopRecord(data) !== 'object') return
  copyDurably(join(data, STOP_RECORD), join(partial, STOP_RECORD))
}

function copyDurably(from: string, to: string): void {
  copyFileSync(from, to)
  const handle = openSync(to, 'r+')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
