/**
 * The built service as a process of its own: what a user starts. For tests of signals, crashes and the command line;
 * everything else is quicker with `testApp`.
 *
 * Processes and folders are gone when the test that made them is over.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const PROJECT_FOLDER = fileURLToPath(new URL('../..', import.meta.url))
/** The file that starts the built command. */
export const CLI = join(PROJECT_FOLDER, 'dist', 'src', 'cli.js')

/** A start that takes longer has failed. */
const READY_MS = 90_000

export interface ProcessOptions {
  readonly args?: readonly string[]
  /** On top of this process's own variables, of which those of the service are left out. */
  readonly environment?: Readonly<Record<string, string>>
  /** Where the command runs. */
  readonly folder?: string
  /** Whether the command starts processes of its own, which have to go with it. */
  readonly hasChildren?: boolean
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Finished extends Exit {
  readonly stdout: string
  readonly stderr: string
}

export interface ServiceProcess {
  readonly pid: number
  readonly host: string
  readonly port: number
  /** `http://host:port` as the service printed it. */
  readonly base: string
  readonly stdout: string
  readonly stderr: string
  readonly exited: Promise<Exit>
  signal(signal: NodeJS.Signals): void
  /** Closes the reading end of its output, as `| head` does when it exits. */
  closeOutput(): void
  /** Resolves once standard output holds this text. */
  printed(text: string): Promise<void>
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<Exit>
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<Exit>
}

/** A folder of its own for this test, under the system's temporary one. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Starts the service on a free port; resolves when it listens, rejects with what it printed if it ends instead. */
export function startServiceProcess(
  dataFolder: string,
  options: ProcessOptions = {},
): Promise<ServiceProcess> {
  const args = ['--port', '0', '--data', dataFolder, ...(options.args ?? [])]
  return listening(spawnCli({ ...options, args }))
}

/** Runs the command to its end; for flags that do not start a server, or must not. */
export async function runCli(options: ProcessOptions): Promise<Finished> {
  const watched = spawnCli(options)
  const { code, signal } = await watched.exited
  return { code, signal, stdout: watched.stdout, stderr: watched.stderr }
}

/** The command as a process, with whatever flags. `cli`: the file that starts it, by default that of the build. */
export function spawnCli({ args = [], ...options }: ProcessOptions, cli = CLI): WatchedProcess {
  if (!existsSync(cli))
    throw new Error(`${cli} is missing; run \`npm run build\` first, as \`npm test\` does`)
  return new WatchedProcess(process.execPath, [cli, ...args], options)
}

/** Resolves when the service behind this process says where it listens. */
export async function listening(watched: WatchedProcess, timeoutMs = READY_MS): Promise<ServiceProcess> {
  const base = await watched.waitFor(/listening on (https?:\/\/\S+)/, timeoutMs)
  const { hostname, port } = new URL(base)
  return Object.assign(watched, { base, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) })
}

export class WatchedProcess {
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #name: string
  readonly #hasChildren: boolean
  #exit: Exit | undefined
  #waiting: (() => void)[] = []
  stdout = ''
  stderr = ''

  constructor(command: string, args: readonly string[], options: Omit<ProcessOptions, 'args'> = {}) {
    this.#name = [command, ...args].join(' ')
    this.#hasChildren = options.hasChildren ?? false
    this.#child = spawn(command, args, {
      detached: this.#hasChildren, // a process group of its own
      cwd: options.folder ?? tmpdir(),
      env: { ...ownEnvironment(), ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#wake()
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
        this.#wake()
      })
    })
    onTestFinished(async () => {
      if (this.#exit === undefined || this.#hasChildren) await this.kill()
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Closes the reading end of its output, as `| head` does when it exits. */
  closeOutput(): void {
    this.#child.stdout!.destroy()
    this.#child.stderr!.destroy()
  }

  stop(): Promise<Exit> {
    this.signal('SIGTERM')
    return this.exited
  }

  kill(): Promise<Exit> {
    if (this.#hasChildren) this.signalAll('SIGKILL')
    else this.signal('SIGKILL')
    return this.exited
  }

  /** To the children as well, as a terminal does it. */
  signalAll(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal)
    } catch {
      // all processes of the group have ended
    }
  }

  async printed(text: string): Promise<void> {
    await this.waitFor(new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  }

  /** The first group of the pattern, or all of it, once standard output matches. */
  async waitFor(pattern: RegExp, timeoutMs = READY_MS): Promise<string> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const match = pattern.exec(this.stdout)
      if (match !== null) return match[1] ?? match[0]
      if (this.#exit !== undefined || Date.now() >= deadline) {
        const end =
          this.#exit === undefined ? `did not in ${timeoutMs} ms` : `ended ${JSON.stringify(this.#exit)}`
        throw new Error(
          `${this.#name} was to print ${pattern}, but ${end}\n${this.stdout}\n${this.stderr}`.trim(),
        )
      }
      await this.#news(deadline - Date.now())
    }
  }

  /** Resolves when something was printed, the process ended, or the time is up. */
  #news(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** The service under test must not see the MILLRACE_ variables of this shell, nor depend on free disk space. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_'))
  return { ...Object.fromEntries(own), MILLRACE_MIN_FREE_DISK: '0' }
}
