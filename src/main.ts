/**
 * Starts and stops the process: config -> tokens and audit -> service on an open store -> listen. `close` stops
 * listener, polling, workers, tokens, service and audit, in this order. Only this file and service.ts know every
 * module.
 */
import { statfs } from 'node:fs/promises'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { DiskProbe } from '../storage/level/probe.ts'
import { AuditFile } from './audit/audit-file.ts'
import { AuditLog } from './audit/audit-log.ts'
import { withoutSecrets } from './auth/token-hash.ts'
import { WatchedTokens } from './auth/watched-tokens.ts'
import type { Config } from './config.ts'
import { ApiTokens } from './deployments/platform/api-tokens.ts'
import { DiskSpace } from './disk-space.ts'
import type { Environment } from './environment.ts'
import { type Api, problemShapes } from './http/api.ts'
import {
  APIS,
  CACHED_QUERIES_PORT_APIS,
  flinkPortApis,
  readDashboard,
  VERVERICA_PORT_APIS,
} from './http/app.ts'
import { openParsePort } from './http/document-parsers.ts'
import { Workers } from './http/messages/parse-workers.ts'
import { ProblemCounts } from './http/messages/problems.ts'
import { AnswerCounts, securityHeaders } from './http/server/answer-class.ts'
import { clientKey } from './http/server/client-key.ts'
import { isForwarded } from './http/server/forwarding.ts'
import { freeingFirst } from './http/server/freeing-requests.ts'
import { type BusyShare, Gate } from './http/server/gate.ts'
import { Guard } from './http/server/guard.ts'
import { Load } from './http/server/load.ts'
import { OpenAnswers } from './http/server/open-answers.ts'
import { isLoopback, listen, newServer, stopServing, tryAddress } from './http/server/server.ts'
import { SlowClients } from './http/server/slow-clients.ts'
import { readIdentity } from './http/server/tls.ts'
import { publicAddress } from './http/server/unauthorized.ts'
import type { Janitor } from './janitor/janitor.ts'
import { JARS_FOLDER, JarStore } from './jars/jar-store.ts'
import { LoopDelay } from './loop-delay.ts'
import { LoopShare } from './loop-share.ts'
import { Prometheus } from './metrics/prometheus.ts'
import { readBuildFacts } from './process/build-facts.ts'
import { ProcessMeter } from './process/process-figures.ts'
import { maskedSettings, type ServiceProcess } from './process/service-process.ts'
import { type OpenService, openService } from './service.ts'
import { serviceSources } from './service-sources.ts'
import { UsageRegistry } from './streams/usage.ts'
import { Supervisor } from './supervisor.ts'
import { readSources } from './tables/sources.ts'

/** A revoked token may remain valid for this long. */
const TOKEN_FILE_POLL_INTERVAL_MS = 1000

export interface RunningService {
  readonly host: string
  readonly port: number
  /** Undefined without `--flink-port`. */
  readonly flinkPort: number | undefined
  /** Undefined without `--cached-queries-port`. */
  readonly cachedQueriesPort: number | undefined
  /** Undefined without `--ververica-port`. */
  readonly ververicaPort: number | undefined
  /** For tests, which run the janitor directly. */
  readonly janitor: Janitor
  /** Reads certificate and key again. If they cannot be used, throws and keeps the old ones. */
  reload(): void
  /** Stops accepting, finishes accepted requests within `graceMs`, closes the store. */
  close(graceMs: number): Promise<void>
}

/**
 * Rejects with StorageError if the data folder cannot be opened, and with node's error if the port cannot be used.
 * Rejects with an Error of one sentence if other machines could use the service without tokens, or if certificate, key,
 * token file or audit file cannot be used.
 */
export async function startService(
  config: Config,
  environment: Environment,
  apis = APIS,
): Promise<RunningService> {
  const { nowMs, report } = environment
  const { limits } = config
  if (config.tls !== undefined) readIdentity(config.tls)
  const found = await tryAddress(config)
  assertNotOpen(config, found)
  const further = furtherPorts(config)
  for (const { port } of further) await tryAddress({ host: config.host, port })
  const sources = config.sourcesFile === undefined ? new Map() : readSources(config.sourcesFile)
  const trail = await openAudit(config, environment)
  const watched = await openTokens(config, environment, trail?.audit)
  const address = publicAddress(config.host, found, config.publicUrl)
  const guard = watched && new Guard(watched.tokens, nowMs, address)
  const load = new Load(limits, (incoming) => {
    const client = guard?.clientOf(incoming)
    return clientKey(incoming, typeof client === 'string' ? null : client)
  })
  const shapeOf = problemShapes(apis)
  const loopDelay = new LoopDelay()
  const workers = new Workers({ maxDocumentBytes: limits.maxDocumentBytes, openPort: openParsePort })
  const space = new DiskSpace({
    minFreeBytes: config.minFreeDiskBytes,
    statfs: environment.statfs ?? (() => statfs(config.dataFolder)),
    report,
  })
  const meter = new ProcessMeter()
  const sharedParts = {
    process: serviceProcess(config, environment, meter),
    furtherApis: further.map((one) => one.apis),
    space,
    load,
    slowClients: new SlowClients(limits, securityHeaders(config.tls !== undefined), shapeOf),
    loopShare: new LoopShare({ isDelayed: () => loopDelay.isDelayed, done: () => load.done }),
    workers,
    openAnswers: new OpenAnswers(guard),
    guard,
    tokens: watched?.tokens,
    apiTokens:
      watched && new ApiTokens({ file: config.authFile!, nowMs, report, reload: () => watched.poll() }),
    address,
    audit: trail?.audit,
    apis,
    jars: new JarStore({ folder: resolve(config.dataFolder, JARS_FOLDER), limits, space, ...environment }),
    sources,
    usage: new UsageRegistry(),
    unwrittenTotals: new Map(),
    prometheus: new Prometheus(),
    problems: new ProblemCounts(),
    writeRefusal: () => supervisor.failure() ?? space.failure() ?? load.failure(),
  }
  const probe = new DiskProbe(config.dataFolder)
  const open = (isAgain: boolean) => openService(config, environment, sharedParts, isAgain)
  const supervisor: Supervisor<OpenService> = new Supervisor(await open(false), {
    async open() {
      const service = await open(true)
      service.startJobs()
      return service
    },
    async ready(service, urgent) {
      if (space.low && !urgent) throw space.refusal()
      const freeBytes = service.freeBytesAtFailure()
      if (environment.openStorage === undefined) await probe.ready({ freeBytes, urgent })
    },
    report,
  })
  async function closeParts(): Promise<void> {
    space.stop()
    meter.stop()
    loopDelay.stop()
    await workers.close()
    await watched?.stop()
    await supervisor.stop()
    await trail?.file?.close()
  }
  try {
    await space.watch()
    const gate = new Gate(load, limits, environment.busyShare ?? eventLoopBusyShare(), loopDelay, shapeOf)
    const answers = new AnswerCounts()
    const isKnown = (incoming: IncomingMessage) =>
      guard === undefined || typeof guard.clientOf(incoming) !== 'string'
    const freeing = (listener: () => RequestListener) =>
      freeingFirst({
        listener,
        isFailed: () => supervisor.service.failure() !== undefined,
        reopened: (withinMs) => supervisor.reopened(withinMs),
        isKnown,
      })
    const serverOptions = {
      ...config,
      gate,
      answers,
      tokensRequired: guard !== undefined,
      cutSlowTransfer: () => load.bodies.cutSlow() || load.readSlots.cutSlow(),
      mayContinue: guard && isKnown,
      continuesLater: (incoming: IncomingMessage) =>
        supervisor.service.cluster !== undefined && isForwarded(incoming),
    }
    const http = newServer(
      freeing(() => supervisor.service.listener),
      { ...serverOptions, shapeOf },
    )
    const others = further.map((one, i) =>
      newServer(
        freeing(() => supervisor.service.furtherListeners[i]!),
        { ...serverOptions, shapeOf: problemShapes(one.apis) },
        http,
      ),
    )
    const shared = [load.bodies, load.readSlots, http.connections, http.pipelined]
    serviceSources(sharedParts.prometheus, { ...sharedParts, gate, answers, supervisor, shared, nowMs })
    await listen(http.server, config)
    for (const [i, { server }] of others.entries())
      await listen(server, { host: config.host, port: further[i]!.port })
    supervisor.service.startJobs()
    watched?.watch(TOKEN_FILE_POLL_INTERVAL_MS)
    const { address, port } = http.server.address() as AddressInfo
    const servers = [http, ...others]
    const portOf = (name: FurtherPort['name']) => {
      const server = others[further.findIndex((one) => one.name === name)]?.server
      return (server?.address() as AddressInfo | undefined)?.port
    }
    return {
      host: address,
      port,
      flinkPort: portOf('flink'),
      cachedQueriesPort: portOf('cached queries'),
      ververicaPort: portOf('ververica'),
      get janitor() {
        return supervisor.service.janitor
      },
      reload() {
        for (const { reloadTls } of servers) reloadTls()
      },
      async close(graceMs) {
        supervisor.service.endFollowers()
        const stopping = servers.map((server) => stopServing(server, graceMs))
        await Promise.all([...stopping, supervisor.service.stopJobs(graceMs)])
        await closeParts()
      },
    }
  } catch (error) {
    await closeParts()
    throw error
  }
}

/** A port beside the main one, with some APIs alone. */
interface FurtherPort {
  readonly name: 'flink' | 'cached queries' | 'ververica'
  readonly port: number
  readonly apis: readonly Api[]
}

function furtherPorts(config: Config): FurtherPort[] {
  const { flinkPort, dashboardFolder, cachedQueriesPort, ververicaPort } = config
  const files = dashboardFolder === undefined ? undefined : readDashboard(dashboardFolder)
  const all: FurtherPort[] = []
  if (flinkPort !== undefined) all.push({ name: 'flink', port: flinkPort, apis: flinkPortApis(files) })
  if (cachedQueriesPort !== undefined)
    all.push({ name: 'cached queries', port: cachedQueriesPort, apis: CACHED_QUERIES_PORT_APIS })
  if (ververicaPort !== undefined)
    all.push({ name: 'ververica', port: ververicaPort, apis: VERVERICA_PORT_APIS })
  return all
}

function serviceProcess(config: Config, environment: Environment, meter: ProcessMeter): ServiceProcess {
  return {
    build: readBuildFacts(),
    settings: maskedSettings(config.flags ?? []),
    figures: () => meter.figures(),
    logs: environment.logs,
    shutdown: config.allowClusterShutdown === true ? environment.shutdown : undefined,
  }
}

function eventLoopBusyShare(): BusyShare {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}

/** Throws if clients on other machines could use everything without a token, unless the operator has allowed it. */
function assertNotOpen({ host, authFile, insecure }: Config, address: string): void {
  if (isLoopback(address) || authFile !== undefined || insecure === true) return
  throw new Error(
    `host ${host} can be reached from other machines, and no client would need a token; ` +
      'name a token file with --auth, or say --insecure if you mean it',
  )
}

interface AuditTrail {
  readonly audit: AuditLog
  readonly file: AuditFile | undefined
}

/**
 * With tokens, the audit trail is written to the log, and to the audit file if one is configured. Without tokens, only
 * to that file.
 */
async function openAudit(config: Config, environment: Environment): Promise<AuditTrail | undefined> {
  const { authFile, auditFile } = config
  if (authFile === undefined && auditFile === undefined) return undefined
  const file = auditFile === undefined ? undefined : await AuditFile.open(auditFile, environment.report)
  const log = authFile === undefined ? undefined : environment.log
  const write = (line: string) => {
    const clean = withoutSecrets(line)
    file?.write(clean)
    log?.(clean)
  }
  return { audit: new AuditLog({ nowMs: environment.nowMs, write }), file }
}

async function openTokens(
  { authFile }: Config,
  { nowMs, report }: Environment,
  audit: AuditLog | undefined,
): Promise<WatchedTokens | undefined> {
  if (authFile === undefined) return undefined
  return WatchedTokens.open(authFile, {
    nowMs,
    onChange: (change) => audit?.tokensChanged(change),
    onProblem: report,
  })
}
