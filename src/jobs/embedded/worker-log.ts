/** What one process of jobs has reported: the newest lines of its log and of the output of its sinks. */
import { BoundedText } from '../bounded-text.ts'
import type { JobId, JobReport } from '../worker/job-worker-protocol.ts'

const CHARACTERS_MAX = 256 * 1024
/** A message may repeat what an event contains. */
const MESSAGE_CHARACTERS_MAX = 2_000

type Level = 'INFO ' | 'WARN ' | 'ERROR'

export class WorkerLog {
  readonly #nowMs: () => number
  readonly #log = new BoundedText(CHARACTERS_MAX)
  readonly #stdout = new BoundedText(CHARACTERS_MAX)
  readonly #started = new Set<JobId>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get text(): string {
    return this.#log.text
  }

  get stdout(): string {
    return this.#stdout.text
  }

  printed(text: string): void {
    this.#stdout.add(text)
  }

  line(level: Level, message: string): void {
    const short = message.slice(0, MESSAGE_CHARACTERS_MAX).replaceAll(/[\r\n]+/g, ' ')
    this.#log.add(`${new Date(this.#nowMs()).toISOString()} ${level} ${short}\n`)
  }

  starting(jid: JobId): void {
    this.line('INFO ', `job ${jid} is started${this.#started.has(jid) ? ' again' : ''}`)
    this.#started.add(jid)
  }

  cancelled(jid: JobId): void {
    this.line('INFO ', `job ${jid} is cancelled`)
    this.#started.delete(jid)
  }

  refused(jid: JobId, reason: string): void {
    this.line('ERROR', `job ${jid} could not be started: ${reason}`)
  }

  reported(jid: JobId, report: JobReport): void {
    switch (report.kind) {
      case 'running':
        this.line('INFO ', `job ${jid} is running${fromState(report.epoch)}`)
        break
      case 'progress': {
        const failed = report.checkpoints?.failed
        if (failed !== undefined)
          this.line('WARN ', `job ${jid}: checkpoint ${failed.id} failed: ${failed.message}`)
        break
      }
      case 'bad-record': {
        const { tableName, partition, sequence, reason } = report.record
        this.line(
          'WARN ',
          `job ${jid}: event ${sequence} of ${tableName}, partition ${partition}, is skipped: ${reason}`,
        )
        break
      }
      case 'finished':
        this.line('INFO ', `job ${jid} is finished`)
        this.#started.delete(jid)
        break
      case 'failed':
        this.line('ERROR', `job ${jid} failed: ${report.failure.message}`)
    }
  }
}

function fromState(epoch: number | undefined): string {
  return epoch === undefined ? '' : ` from checkpoint ${epoch}`
}
