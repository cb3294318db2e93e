/** What the service tells operators about its own process: build, settings, memory, threads, log files. */
import type { BuildFacts } from './build-facts.ts'
import type { LogFolder } from './log-folder.ts'
import type { ProcessFigures } from './process-figures.ts'

export interface Setting {
  readonly key: string
  readonly value: string
}

export interface ServiceProcess {
  readonly build: BuildFacts
  /** Each flag with the value in use. Secrets are masked. */
  readonly settings: readonly Setting[]
  readonly figures: () => ProcessFigures
  /** Undefined without `--log-dir`. */
  readonly logs: LogFolder | undefined
  /** Ends the service in order, as SIGTERM does. Undefined where clients may not do that. */
  readonly shutdown: (() => void) | undefined
}

const SECRET_KEY = /password|secret|token|key/i
/** Credentials in a URL. */
const CREDENTIALS = /(\b[a-z][a-z0-9+.-]*:\/\/)[^/@\s]*@/gi
const MASK = '******'

export function maskedSettings(settings: readonly Setting[]): readonly Setting[] {
  return settings.map(({ key, value }) => ({
    key,
    value: SECRET_KEY.test(key) && value !== '' ? MASK : value.replaceAll(CREDENTIALS, `$1${MASK}@`),
  }))
}

export interface ThreadText {
  readonly name: string
  readonly text: string
}

/** The main thread of this process: what it waits for, and its stack at the time of the call. */
export function mainThread(): ThreadText {
  const counts = new Map<string, number>()
  for (const resource of process.getActiveResourcesInfo())
    counts.set(resource, (counts.get(resource) ?? 0) + 1)
  const waits = [...counts].map(([resource, count]) => `${resource} x ${count}`).join(', ')
  const stack = new Error().stack?.split('\n').slice(1).join('\n') ?? ''
  return { name: 'main', text: `"main" pid=${process.pid}\n    waits for: ${waits}\n${stack}\n` }
}
