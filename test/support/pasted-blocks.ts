/** Shell blocks of the documentation, pasted from top to bottom into one bash against a service that was just started. */
import { execFile } from 'node:child_process'
import { createWriteStream, existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import avro from 'avsc'
import { expect } from 'vitest'
import { PROJECT_FOLDER, startServiceProcess, temporaryFolder } from './service-process.ts'

export const README = join(PROJECT_FOLDER, 'README.md')

const run = promisify(execFile)

export interface ShellBlock {
  readonly line: number
  readonly text: string
  /** Expected output: the block below, if there is one. */
  readonly output: string | undefined
}

export interface PasteOptions {
  /** Runs first: functions in place of commands. */
  readonly prologue?: string
  /** Texts of the page, and those used instead. */
  readonly replaced?: readonly (readonly [string, string])[]
  /** Whether the service starts processes of its own, which have to go with it. */
  readonly hasChildren?: boolean
}

interface CurlRun {
  readonly status: number
  readonly exitCode: number
}

/** A loop that waits for a result would run on after its test. */
const RUN_MS = 110_000

/** Separates the output of the blocks; no answer of the service contains it. */
const MARK = '=====next block====='

/** Every curl of a block prints its status and exit code on standard error; curl reads no configuration file. */
const CURL = `curl() {
  command curl -q --silent --show-error --max-time 20 -w '%{stderr}
@%{http_code} %{exitcode}
' "$@"
}`

/** Blocks with curl, and those that set the variables of later ones. */
export function curlBlocks(markdown: string): string[] {
  return shellBlocks(markdown)
    .map(({ text }) => text)
    .filter((block) => /\bcurl |^[A-Z]+=/.test(block))
}

/** Runs the commands one after another. Every curl is answered with success. Returns what they have printed. */
export async function expectSuccess(commands: readonly string[], options?: PasteOptions): Promise<string> {
  expect(commands.length).toBeGreaterThan(0)
  const results = await runBlocks(commands, options)
  for (const [i, { curls }] of results.entries()) {
    for (const { status, exitCode } of curls) {
      expect([exitCode, status < 400], `${commands[i]} answered ${status}`).toEqual([0, true])
    }
    // At least that many: a loop may run curl again.
    expect(curls.length, commands[i]).toBeGreaterThanOrEqual(commands[i]!.match(/\bcurl /g)?.length ?? 0)
  }
  return results.map(({ stdout }) => stdout).join('')
}

/** The bodies of the events in answers of curl. */
export function bodiesIn(output: string): unknown[] {
  return [...output.matchAll(/"body":"((?:[^"\\]|\\.)*)"/g)].map(([, body]) => JSON.parse(`"${body}"`))
}

/** ```sh and ```console blocks, each with the block of another language right after it. */
export function shellBlocks(markdown: string): ShellBlock[] {
  const blocks: ShellBlock[] = []
  const fences = [...markdown.matchAll(/^```([a-z]*)\n([\s\S]*?)^```$/gm)]
  for (const [i, fence] of fences.entries()) {
    if (fence[1] !== 'sh' && fence[1] !== 'console') continue
    const next = fences[i + 1]
    const end = fence.index + fence[0].length
    const follows = next !== undefined && markdown.slice(end, next.index).trim() === ''
    const shows = follows && next[1] !== 'sh' && next[1] !== 'console'
    blocks.push({
      line: markdown.slice(0, fence.index).split('\n').length,
      text: fence[2]!,
      output: shows ? next[2] : undefined,
    })
  }
  return blocks
}

/** Runs the blocks, one after another in one bash, against a service that was just started. */
export async function runBlocks(
  blocks: readonly string[],
  { prologue = '', replaced = [], hasChildren = false }: PasteOptions = {},
): Promise<{ curls: CurlRun[]; stdout: string }[]> {
  const folder = await temporaryFolder()
  const service = await startServiceProcess(join(folder, 'data'), { hasChildren })
  await makeFiles(folder)
  const script = [
    CURL,
    prologue,
    ...blocks.flatMap((block) => [block, `echo '${MARK}'`, `echo '${MARK}' >&2`]),
  ].join('\n')
  const { stdout, stderr } = await run(
    'bash',
    ['-c', replacedIn(script, [['11015', String(service.port)], ...replaced])],
    {
      cwd: folder,
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
      ...{ timeout: RUN_MS, killSignal: 'SIGKILL' },
    },
  )
  const outputs = stdout.split(MARK)
  const errors = stderr.split(MARK)
  return blocks.map((_, i) => ({
    stdout: outputs[i]!,
    curls: [...errors[i]!.matchAll(/^@([0-9]{3}) ([0-9]+)$/gm)].map(([, status, exitCode]) => ({
      status: Number(status),
      exitCode: Number(exitCode),
    })),
  }))
}

function replacedIn(script: string, texts: readonly (readonly [string, string])[]): string {
  return texts.reduce((text, [written, used]) => text.replaceAll(written, () => used), script)
}

/** Creates the files that the examples send. */
async function makeFiles(folder: string): Promise<void> {
  if (existsSync(README)) await copyFile(README, join(folder, 'README.md'))
  const type = avro.Type.forSchema({
    type: 'record',
    name: 'User',
    fields: [{ name: 'name', type: 'string' }],
  })
  for (const name of ['users.avro', 'file.avro']) {
    const encoder = new avro.streams.BlockEncoder(type)
    encoder.write({ name: 'Sam' })
    encoder.end({ name: 'Max' })
    await pipeline(encoder, createWriteStream(join(folder, name)))
  }
}
