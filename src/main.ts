/**
 * Puts the house together: config -> storage -> services -> app -> listen. `close` undoes it in the reverse order.
 * The only file that knows every room.
 */
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { openStorage, type Storage } from '../storage/level/open.ts'
import { StorageError } from '../storage/storage-error.ts'
import { AuditFile } from './audit/audit-file.ts'
import { AuditLog } from './audit/audit-log.ts'
import { withoutSecrets } from './auth/token-hash.ts'
import { WatchedTokens } from './auth/watched-tokens.ts'
import type { Config } from './config.ts'
import { createApp } from './http/app.ts'
import { directPosts } from './http/direct-posts.ts'
import { Guard } from './http/guard.ts'
import { answerUnreadable, isLoopback, listen, newServer, stopServing, tryAddress } from './http/server.ts'
import { Janitor } from './janitor/janitor.ts'
import { scheduleJanitor } from './janitor/schedule.ts'
import { Namespaces } from './streams/namespaces.ts'
import { Registry } from './streams/registry.ts'
import { Streams } from './streams/streams.ts'
import { UsageRegistry } from './streams/usage.ts'

/** So long may a token be good after it was revoked. */
const TOKEN_FILE_LOOK_MS = 1000

/** What the outside world gives: handed in, so that a test can be exact. */
export interface Surroundings {
  readonly nowMs: () => number
  readonly random: () => number
  /** Told of failures that are the server's own; one call, one line of the log. */
  readonly report: (error: unknown) => void
  /** Takes lines of audit, each with its line end. */
  readonly log?: (line: string) => void
  /** Opens the store; the data folder of the config unless a test says otherwise. */
  readonly openStorage?: (nowMs: () => number) => Promise<Storage>
}

export interface RunningService {
  readonly host: string
  readonly port: number
  /** For tests: does the janitor's work now. */
  readonly janitor: Janitor
  /** Stops accepting, finishes what was accepted within `graceMs`, closes the store. */
  close(graceMs: number): Promise<void>
}

/**
 * Rejects with StorageError if the data folder cannot be opened, with node's error if the port cannot, and with a sentence
 * if everybody could come in, or the token file or the audit file cannot be used.
 */
export async function startService(config: Config, surroundings: Surroundings): Promise<RunningService> {
  const { nowMs, random } = surroundings
  let stopping = false
  // What is still read for clients who have gone when the service stops finds the store closed: no failure of anybody.
  const report = (error: unknown) => {
    if (!(stopping && error instanceof StorageError && error.code === 'closed')) surroundings.report(error)
  }
  const open =
    surroundings.openStorage ?? ((clock) => openStorage(config.dataFolder, { nowMs: clock, sync: true }))
  assertNotOpen(config, await tryAddress(config))
  const trail = await openAudit(config, surroundings)
  const watched = await openTokens(config, surroundings, trail?.audit)
  const storage = await open(nowMs)
  try {
    const tokens = watched?.tokens
    const guard = tokens && new Guard(tokens, nowMs)
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      nowMs,
      asyncQueueBytesMax: config.asyncQueueBytesMax,
      onAsyncLost: (_, error) => surroundings.report(error),
    })
    const { eventBytesMax } = config
    const app = createApp(
      {
        streams,
        namespaces: new Namespaces(registry, config.unrecoverableReset),
        usage: new UsageRegistry(),
        storeFailure: () => storage.log.failure(),
        guard,
        tokens,
        audit: trail?.audit,
      },
      { eventBytesMax, nowMs, report },
    )
    const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
      hostname: config.host, // for requests that name none, as HTTP/1.0 may
      errorHandler: answerUnreadable,
    })
    const server = newServer(
      directPosts(streams, { eventBytesMax, report, guard }, listener),
      guard && ((incoming) => typeof guard.clientOf(incoming) !== 'string'),
    )
    await listen(server, config)
    const janitor = new Janitor(storage.log, registry, nowMs, report)
    const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, report)
    watched?.watch(TOKEN_FILE_LOOK_MS)
    const { address, port } = server.address() as AddressInfo
    return {
      host: address,
      port,
      janitor,
      async close(graceMs) {
        await stopServing(server, graceMs)
        await schedule.stop()
        await watched?.stop()
        stopping = true
        await storage.close()
        await trail?.file?.close()
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** Throws if whoever can connect from elsewhere could do everything, and nobody has said that this is meant. */
function assertNotOpen({ host, authFile, insecure }: Config, address: string): void {
  if (isLoopback(address) || authFile !== undefined || insecure === true) return
  throw new Error(
    `host ${host} can be reached from other machines, and nobody would need a token; ` +
      'name a token file with --auth, or say --insecure if you mean it',
  )
}

interface AuditTrail {
  readonly audit: AuditLog
  readonly file: AuditFile | undefined
}

/** Where tokens tell who did it, the log has it; where nobody is asked, only a file that was named. */
async function openAudit(config: Config, surroundings: Surroundings): Promise<AuditTrail | undefined> {
  const { authFile, auditFile } = config
  if (authFile === undefined && auditFile === undefined) return undefined
  const file = auditFile === undefined ? undefined : await AuditFile.open(auditFile, surroundings.report)
  const log = authFile === undefined ? undefined : surroundings.log
  const write = (line: string) => {
    const clean = withoutSecrets(line)
    file?.write(clean)
    log?.(clean)
  }
  return { audit: new AuditLog({ nowMs: surroundings.nowMs, write }), file }
}

async function openTokens(
  { authFile }: Config,
  { nowMs, report }: Surroundings,
  audit: AuditLog | undefined,
): Promise<WatchedTokens | undefined> {
  if (authFile === undefined) return undefined
  return WatchedTokens.open(authFile, {
    nowMs,
    onChange: (change) => audit?.tokensChanged(change),
    onProblem: report,
  })
}
