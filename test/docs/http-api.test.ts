/**
 * The examples of docs/http-api.md, docs/jobs.md and README.md work. One bash runs every shell block that contains curl, in order, against a
 * service that was just started.
 *
 * In docs/http-api.md the comment at the end of a curl line is the expected status, `# 200`. A block of another language right after
 * a shell block is its expected output. Times and cursors are not compared.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  bodiesIn,
  curlBlocks,
  expectSuccess,
  README,
  runBlocks,
  shellBlocks,
} from '../support/pasted-blocks.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { PROJECT_FOLDER } from '../support/service-process.ts'
import { shellProblem } from '../support/shell.ts'

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

test('every curl of README.md succeeds, those of its table too', async ({ skip }) => {
  const problem = existsSync(README) ? await shellProblem() : 'there is no README.md'
  if (problem !== undefined) skip(problem)
  const text = readFileSync(README, 'utf8')
  const blocks = curlBlocks(text)
  await expectSuccess(inOrder(text, [...blocks, ...tableCommands(text)]))
})

const TUTORIAL = readFileSync(join(PROJECT_FOLDER, 'docs', 'jobs.md'), 'utf8')
const AFTER_STREAMS = TUTORIAL.indexOf('### With tables of PostgreSQL')
const AFTER_POSTGRES = TUTORIAL.indexOf('### With avn')

const noDatabase = async () => (await shellProblem(['psql'])) ?? NO_POSTGRES

test('the tutorial of docs/jobs.md works with streams', async ({ skip }) => {
  const problem = await shellProblem()
  if (problem !== undefined) skip(problem)
  if ((await noDatabase()) === undefined) skip('the next test pastes these lines, and those with PostgreSQL')
  expectResults(await expectSuccess(curlBlocks(TUTORIAL.slice(0, AFTER_STREAMS)), { hasChildren: true }))
})

/** The part with avn, which is fetched, is pasted in test/clients/jobs-page.test.ts. */
test('the tutorial of docs/jobs.md works with streams and PostgreSQL', async ({ skip }) => {
  const problem = (await shellProblem()) ?? (await noDatabase())
  if (problem !== undefined) skip(problem)
  const postgres = await TestPostgres.start()
  onTestFinished(() => postgres.remove())
  const output = await expectSuccess(curlBlocks(TUTORIAL.slice(0, AFTER_POSTGRES)), {
    replaced: [['postgres://postgres:secret@127.0.0.1:5432/postgres', postgres.uri()]],
    hasChildren: true,
  })
  expectResults(output)
  expect(output).toContain('doc|50|20\ndopey|95|90\n')
})

function expectResults(output: string): void {
  expect(bodiesIn(output)).toEqual([
    '{"host":"doc","usage":91.5,"seen":"2027-01-31 12:00:07"}',
    '{"window_end":"2027-01-31 12:00:30","host":"doc","average":51.75}',
  ])
  expect(output).toContain('"character_number":40')
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

/** Removes the parts that differ between runs: times, cursors, and the line ends that curl does not add. */
function comparable(output: string): string {
  return output
    .replace(/"timestamp":[0-9]+/g, '"timestamp":0')
    .replace(/"cursor":"[A-Za-z0-9_-]{38}"/g, '"cursor":""')
    .replace(/\n/g, '')
}
