/** Settings of a job from flinkConfiguration. Keys without effect here are ignored. */
import type { JobSettings, RestartRule } from '../../jobs/job-settings.ts'
import { ServiceError } from '../../service-error.ts'
import { parseDurationMs } from '../../tables/duration.ts'

type Configuration = ReadonlyMap<string, string>

const INTERVAL = 'execution.checkpointing.interval'
const STRATEGY = 'restart-strategy'
/** A job that commits less often than this looks as if it did not run. */
const INTERVAL_MS_MAX = 600_000
/** A job that fails at once would use a processor with its starts. */
const DELAY_MS_MIN = 100
const DELAY_MS_MAX = 24 * 3_600_000
const ATTEMPTS_MAX = 1_000_000

/** Throws ServiceError 'invalid_parameter'. */
export function settingsOf(given: Readonly<Record<string, string>>): JobSettings {
  const configuration = new Map(Object.entries(given))
  const restart = restartRule(configuration)
  const intervalMs = duration(configuration, INTERVAL, undefined, INTERVAL_MS_MAX)
  return {
    ...(restart && { restart }),
    ...(intervalMs !== undefined && intervalMs > 0 && { checkpointIntervalMs: intervalMs }),
  }
}

function restartRule(configuration: Configuration): RestartRule | undefined {
  const key = configuration.has(`${STRATEGY}.type`) ? `${STRATEGY}.type` : STRATEGY
  const kind = configuration.get(key)
  const ms = (option: string, otherwise: string) =>
    Math.max(DELAY_MS_MIN, duration(configuration, `${STRATEGY}.${option}`, otherwise, DELAY_MS_MAX)!)
  switch (kind?.toLowerCase()) {
    case undefined:
      return undefined
    case 'none':
    case 'off':
    case 'disable':
      return { kind: 'none' }
    case 'fixed-delay':
    case 'fixeddelay': {
      const attempts = number(configuration, `${STRATEGY}.fixed-delay.attempts`, '1', 0, ATTEMPTS_MAX)
      return { kind: 'fixed-delay', attempts: Math.floor(attempts), delayMs: ms('fixed-delay.delay', '1 s') }
    }
    case 'exponential-delay':
    case 'exponentialdelay':
      return {
        kind: 'exponential-delay',
        firstMs: ms('exponential-delay.initial-backoff', '1 s'),
        mostMs: ms('exponential-delay.max-backoff', '1 min'),
        factor: number(configuration, `${STRATEGY}.exponential-delay.backoff-multiplier`, '1.5', 1, 100),
        resetMs: ms('exponential-delay.reset-backoff-threshold', '1 h'),
      }
    default:
      throw wrong(key, kind!, 'none, fixed-delay or exponential-delay')
  }
}

function duration(
  configuration: Configuration,
  key: string,
  otherwise: string | undefined,
  mostMs: number,
): number | undefined {
  const text = configuration.get(key) ?? otherwise
  if (text === undefined) return undefined
  const ms = parseDurationMs(text)
  if (ms === undefined || ms > mostMs)
    throw wrong(key, text, `a duration of at most ${mostMs / 1000} s, such as 10 s`)
  return ms
}

function number(
  configuration: Configuration,
  key: string,
  otherwise: string,
  least: number,
  most: number,
): number {
  const text = configuration.get(key) ?? otherwise
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= least && value <= most) return value
  throw wrong(key, text, `a number from ${least} to ${most}`)
}

function wrong(key: string, text: string, wanted: string): ServiceError {
  return new ServiceError('invalid_parameter', `${key} is '${text.slice(0, 100)}'; use ${wanted}`)
}
