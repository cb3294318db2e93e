/**
 * Fills a stopped store with events that each have a block of their own, as single POSTs on one connection leave them. Over
 * HTTP a million of them takes many minutes, most of it fsync. So this process appends them one by one to the log of the
 * store's one stream, by the storage of the build that is measured, without fsync, and with a clock that goes as fast as
 * those POSTs would go: the content of the disk is the same.
 *
 * node single-appends.js CLI FOLDER EVENTS
 */
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EVENT_BYTES, randomText } from '../events/random-text.ts'

type Storage = typeof import('../../storage/level/open.ts')

/** Seen with fsync on one connection: about 2,500 POSTs per second. */
const MS_BETWEEN = 0.4
/** So that all are old enough for the janitor at once. */
const AGE_MS = 20_000
const POOL = 20_000
/** Of the first stream of a store. */
const FIRST_LOG = 1

const [cli = '', folder = '', count = ''] = process.argv.slice(2)
const events = Number(count)
const { openStorage } = (await import(
  pathToFileURL(join(dirname(cli), '../storage/level/open.js')).href
)) as Storage

let appended = 0
const startMs = Date.now() - AGE_MS - events * MS_BETWEEN
const nowMs = () => Math.floor(startMs + appended * MS_BETWEEN)
const storage = await openStorage(folder, { nowMs, sync: false })
const pool = Array.from({ length: POOL }, () => Buffer.from(randomText(EVENT_BYTES)))
for (; appended < events; appended++)
  await storage.log.append(FIRST_LOG, [{ headers: [], body: pool[appended % POOL]! }])
await storage.close()
