/**
 * The examples of docs/http-api.md, docs/jobs.md and README.md work. One bash runs every shell block that contains curl, in order, against a
 * service that was just started.
 *
 * In docs/http-api.md the comment at the end of a curl line is the expected status, `# 200`. A block of another language right after
 * a shell block is its expected output. Times and cursors are not compared.
 */
import { execFile } from 'node:child_process'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import avro from 'avsc'
import { expect, test } from 'vitest'
import {
  PROJECT_FOLDER,
  type ServiceProcess,
  startServiceProcess,
  temporaryFolder,
} from '../support/service-process.ts'
import { shellProblem } from '../support/shell.ts'

const run = promisify(execFile)

interface ShellBlock {
  readonly line: number
  readonly text: string
  /** Expected output: the block below, if there is one. */
  readonly output: string | undefined
}

interface CurlRun {
  readonly status: number
  readonly exitCode: number
}

/** Separates the output of the blocks; no answer of the service contains it. */
const MARK = '=====next block====='

/** Every curl of a block prints its status and exit code on standard error; curl reads no configuration file. */
const CURL = `curl() {
  command curl -q --silent --show-error --max-time 20 -w '%{stderr}
@%{http_code} %{exitcode}
' "$@"
}`

test('every example of docs/http-api.md has the documented status and output', async ({ skip }) => {
  const problem = await shellProblem()
  if (problem !== undefined) skip(problem)
  const blocks = shellBlocks(readFileSync(join(PROJECT_FOLDER, 'docs', 'http-api.md'), 'utf8'))
  expect(blocks.length).toBeGreaterThan(10)
  const results = await runBlocks(blocks.map(({ text }) => text))
  for (const [i, { line, text, output }] of blocks.entries()) {
    const name = `docs/http-api.md:${line}`
    const { curls, stdout } = results[i]!
    expect(curls, name).toEqual(statusesIn(text).map((status) => ({ status, exitCode: 0 })))
    expect(comparable(stdout), name).toBe(comparable(output ?? ''))
  }
})

test('every curl of a block has its status in docs/http-api.md', () => {
  for (const { line, text } of shellBlocks(
    readFileSync(join(PROJECT_FOLDER, 'docs', 'http-api.md'), 'utf8'),
  )) {
    const curls = text.match(/\bcurl /g)?.length ?? 0
    expect(statusesIn(text).length, `docs/http-api.md:${line}`).toBe(curls)
  }
})

const readme = join(PROJECT_FOLDER, 'README.md')

test('every curl of README.md succeeds, those of its table too', async ({ skip }) => {
  const problem = existsSync(readme) ? await shellProblem() : 'there is no README.md'
  if (problem !== undefined) skip(problem)
  const text = readFileSync(readme, 'utf8')
  const blocks = curlBlocks(text)
  await expectSuccess(inOrder(text, [...blocks, ...tableCommands(text)]))
})

test('the tutorial of docs/jobs.md works from top to bottom', async ({ skip }) => {
  const problem = await shellProblem()
  if (problem !== undefined) skip(problem)
  const blocks = curlBlocks(readFileSync(join(PROJECT_FOLDER, 'docs', 'jobs.md'), 'utf8'))
  const output = await expectSuccess(blocks)
  const bodies = [...output.matchAll(/"body":"((?:[^"\\]|\\.)*)"/g)].map(([, body]) =>
    JSON.parse(`"${body}"`),
  )
  expect(bodies).toEqual([
    '{"host":"doc","usage":91.5,"seen":"2027-01-31 12:00:07"}',
    '{"window_end":"2027-01-31 12:00:30","host":"doc","average":51.75}',
  ])
  expect(output).toContain('"character_number":40')
})

/** Blocks with curl, and those that set the variables of later ones. */
function curlBlocks(markdown: string): string[] {
  return shellBlocks(markdown)
    .map(({ text }) => text)
    .filter((block) => /\bcurl |^[A-Z]=/.test(block))
}

/** Runs the commands one after another. Every curl is answered with success. Returns what they have printed. */
async function expectSuccess(commands: readonly string[]): Promise<string> {
  expect(commands.length).toBeGreaterThan(0)
  const results = await runBlocks(commands)
  for (const [i, { curls }] of results.entries()) {
    for (const { status, exitCode } of curls) {
      expect([exitCode, status < 400], `${commands[i]} answered ${status}`).toEqual([0, true])
    }
    // At least that many: a loop may run curl again.
    expect(curls.length, commands[i]).toBeGreaterThanOrEqual(commands[i]!.match(/\bcurl /g)?.length ?? 0)
  }
  return results.map(({ stdout }) => stdout).join('')
}

/** ```sh and ```console blocks, each with the block of another language right after it. */
function shellBlocks(markdown: string): ShellBlock[] {
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

function statusesIn(block: string): number[] {
  return [...block.matchAll(/ # ([0-9]{3})$/gm)].map(([, status]) => Number(status))
}

/** Sorts commands by their place in the text, because readers paste them in this order. */
function inOrder(markdown: string, commands: readonly string[]): string[] {
  const place = (command: string) => markdown.replaceAll('\\|', '|').indexOf(command.trim())
  return [...commands].sort((a, b) => place(a) - place(b))
}

/** Cells of tables that are a command; a pipe in a cell is written `\|`. */
function tableCommands(markdown: string): string[] {
  return [...markdown.matchAll(/^\|.*\| `((?:curl|printf) .*)` \|$/gm)].map(([, command]) =>
    command!.replaceAll('\\|', '|'),
  )
}

async function runBlocks(blocks: readonly string[]): Promise<{ curls: CurlRun[]; stdout: string }[]> {
  const folder = await temporaryFolder()
  const service = await startServiceProcess(join(folder, 'data'))
  await makeFiles(folder)
  const script = [CURL, ...blocks.flatMap((block) => [block, `echo '${MARK}'`, `echo '${MARK}' >&2`])].join(
    '\n',
  )
  const { stdout, stderr } = await run('bash', ['-c', onPort(script, service)], {
    cwd: folder,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
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

function onPort(script: string, { port }: ServiceProcess): string {
  return script.replaceAll('11015', String(port))
}

/** Creates the files that the examples send. */
async function makeFiles(folder: string): Promise<void> {
  if (existsSync(readme)) await copyFile(readme, join(folder, 'README.md'))
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

/** Removes the parts that differ between runs: times, cursors, and the line ends that curl does not add. */
function comparable(output: string): string {
  return output
    .replace(/"timestamp":[0-9]+/g, '"timestamp":0')
    .replace(/"cursor":"[A-Za-z0-9_-]{38}"/g, '"cursor":""')
    .replace(/\n/g, '')
}
