/** The tutorial of docs/jobs.md as a user pastes it, from top to bottom: with streams, with PostgreSQL, and with the `avn` that it names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { bodiesIn, curlBlocks, expectSuccess } from '../support/pasted-blocks.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { PROJECT_FOLDER } from '../support/service-process.ts'
import { shellProblem } from '../support/shell.ts'
import { avnFiles } from './avn-client.ts'
import { tellSkipped } from './client-run.ts'

const CLIENT = 'tutorial of docs/jobs.md'
const VERSION = '2.17.0'

test(CLIENT, async ({ skip }) => {
  const page = readFileSync(join(PROJECT_FOLDER, 'docs', 'jobs.md'), 'utf8')
  expect(page).toContain(`pip install aiven-client==${VERSION}\n`)
  const fetched = avnFiles(VERSION)
  const problem = (await shellProblem(['bash', 'curl', 'psql'])) ?? NO_POSTGRES
  if ('missing' in fetched || problem !== undefined) {
    const reason = 'missing' in fetched ? fetched.missing : problem!
    tellSkipped(CLIENT, reason)
    return skip(reason)
  }
  const postgres = await TestPostgres.start()
  onTestFinished(() => postgres.remove())
  const blocks = curlBlocks(page)
  const output = await expectSuccess(blocks, {
    // It is installed already, in a folder of its own.
    prologue: `set -o pipefail
      pip() { true; }
      avn() { PYTHONPATH='${fetched.folder}' AIVEN_CONFIG_DIR="$PWD/avn" python3 -m aiven.client "$@"; }`,
    replaced: [['postgres://postgres:secret@127.0.0.1:5432/postgres', postgres.uri()]],
    hasChildren: true,
  })
  expect(output).toContain('doc|50|20\ndopey|95|90\n')
  expect(bodiesIn(output).slice(2)).toEqual(['{"host":"doc","usage":91.5}', '{"host":"dopey","usage":95}'])
  expect(output).toMatch(/Job with ID [0-9a-f]{32} was cancelled\n/)
  tellProof(`clients ${CLIENT}`, { blocks: blocks.length })
})
