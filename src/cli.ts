#!/usr/bin/env node
/** The command `millrace`: parses flags, handles signals, prints lines for people. */
import { withoutSecrets } from './auth/token-hash.ts'
import { COMMANDS } from './commands/index.ts'
import { type Config, ConfigError, helpText, parseCommand } from './config.ts'
import { failureReporter } from './failure-report.ts'
import { greeting } from './greeting.ts'
import { isLoopback } from './http/server/server.ts'
import { type RunningService, startService } from './main.ts'
import { readBuildFacts } from './process/build-facts.ts'
import { LogFolder } from './process/log-folder.ts'

/** At shutdown, accepted requests have this long to finish. */
const GRACE_MS = 10_000
/**
 * Signals this close together count as one: npm forwards the SIGINT that the terminal has already sent to the whole
 * process group.
 */
const SAME_SIGNAL_MS = 500
const TOKENS_IN_THE_CLEAR = `tokens can be read on their way here: name --tls-cert and --tls-key, or let only a proxy with HTTPS connect

`

/** Undefined without `--log-dir`. */
let logs: LogFolder | undefined

const log = (line: string) => {
  const clean = withoutSecrets(line)
  process.stderr.write(clean)
  logs?.write('log', clean)
}
const print = (text: string) => {
  process.stdout.write(text)
  logs?.write('out', text)
}
const report = failureReporter(log, Date.now)

// The reader of the output may close it, as `| head` does. The service continues.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {})

await run()

async function run(): Promise<void> {
  const [word, ...rest] = process.argv.slice(2)
  if (word !== undefined && /^[a-z]/.test(word)) return runCommand(word, rest)
  await serve()
}

/** Exits with the code that the command returns, or with 2 if the command fails. */
async function runCommand(word: string, args: readonly string[]): Promise<void> {
  const command = COMMANDS.find(({ name }) => name === word)
  if (command === undefined)
    return fail(`there is no command '${word}'; millrace --help lists what there is`, 2)
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(command.help)
  try {
    process.exitCode = await command.run(args, {
      nowMs: Date.now,
      environment: process.env,
      get input() {
        return process.stdin // opened only when a command reads it: an open input keeps the process alive
      },
      print: (text) => process.stdout.write(text),
      tell: (text) => process.stderr.write(text),
    })
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), 2)
  }
}

async function serve(): Promise<void> {
  const command = readCommand()
  if (command === undefined) return
  if (command.kind === 'help') return void process.stdout.write(helpText(COMMANDS))
  if (command.kind === 'version') return void process.stdout.write(`${packageVersion()}\n`)
  const { config } = command
  let service: RunningService
  let stop = () => {}
  try {
    logs = config.logFolder === undefined ? undefined : await LogFolder.open(config.logFolder)
    service = await startService(config, {
      ...{ nowMs: Date.now, random: Math.random, report, log, logs },
      shutdown: () => stop(),
    })
  } catch (error) {
    return fail(startFailure(error, config))
  }
  const { authFile, tls } = config
  const { host, port, flinkPort, cachedQueriesPort, ververicaPort } = service
  const version = packageVersion()
  const withTokens = authFile !== undefined
  const further = { flinkPort, cachedQueriesPort, ververicaPort }
  const hello = greeting({ version, host, port, ...further, withTokens, tls })
  const inTheClear = authFile !== undefined && tls === undefined && !isLoopback(service.host)
  print(hello + (inTheClear ? TOKENS_IN_THE_CLEAR : ''))
  stop = stopOnSignals(service)
  if (tls !== undefined) reloadOnSignal(service)
}

function readCommand() {
  try {
    return parseCommand(process.argv.slice(2), process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return fail(error.message)
  }
}

/** On a second signal the process exits without waiting. Returns what ends the service as SIGTERM does. */
function stopOnSignals(service: RunningService): () => void {
  let stoppingSinceMs: number | undefined
  const stop = async (signal: string) => {
    if (stoppingSinceMs !== undefined) {
      if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1)
      return
    }
    stoppingSinceMs = performance.now()
    const closed = service.close(GRACE_MS)
    print(`${signal}: finishing what was accepted\n`)
    try {
      await closed
      await logs?.close()
      process.exit(0)
    } catch (error) {
      report(error)
      await logs?.close()
      process.exit(1)
    }
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return () => void stop('DELETE /cluster')
}

/** Reports files that cannot be used. The service continues with the certificate and key in use. */
function reloadOnSignal(service: RunningService): void {
  process.on('SIGHUP', () => {
    try {
      service.reload()
      print('SIGHUP: certificate and key read again\n')
    } catch (error) {
      report(error)
    }
  })
}

function startFailure(error: unknown, config: Config): string {
  const { port: mainPort, host } = config
  const { code, syscall, port = mainPort } = error as { code?: unknown; syscall?: unknown; port?: number }
  const flag = flagOf(port, config)
  if (code === 'EADDRINUSE')
    return `port ${port} of ${host} is in use; choose another with ${flag}, or ${flag} 0`
  if (code === 'EACCES' && syscall === 'listen')
    return `port ${port} may not be used by this user; choose one above 1023 with ${flag}`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `host ${host} is no address of this machine`
  }
  return error instanceof Error ? error.message : String(error)
}

function flagOf(port: number, config: Config): string {
  const { port: mainPort, flinkPort, cachedQueriesPort, ververicaPort } = config
  if (port === mainPort) return '--port'
  if (port === flinkPort) return '--flink-port'
  if (port === cachedQueriesPort) return '--cached-queries-port'
  return port === ververicaPort ? '--ververica-port' : '--port'
}

function fail(message: string, exitCode = 1): undefined {
  log(`millrace: ${message}\n`)
  process.exitCode = exitCode
}

function packageVersion(): string {
  return readBuildFacts().version
}
