/** docs/cached-queries.md, pasted from top to bottom: the database is started by the lines of the page. */
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../support/free-port.ts'
import { runBlocks, shellBlocks } from '../../support/pasted-blocks.ts'
import { NO_POSTGRES, POSTGRES_BIN } from '../../support/postgres.ts'
import { PROJECT_FOLDER } from '../../support/service-process.ts'
import { shellProblem } from '../../support/shell.ts'

/** PostgreSQL's programs refuse to run as root: there, they run as the user of the server. */
function prologue(): string {
  const path = `export PATH='${POSTGRES_BIN}':"$PATH"`
  if (userInfo().uid !== 0) return path
  const asUser = (name: string) =>
    `${name}() { su postgres -s /bin/bash -c "cd '$PWD'; exec '${POSTGRES_BIN}/${name}' $(printf '%q ' "$@")"; }`
  return `${path}
    mkdir pg; touch pg.log; chown postgres pg pg.log; chmod 755 .
    ${asUser('initdb')}
    ${asUser('pg_ctl')}`
}

test('every line works, and the rows are those of the page', { timeout: 600_000 }, async ({ skip }) => {
  const problem = (await shellProblem(['bash', 'curl', 'psql'])) ?? NO_POSTGRES
  if (problem !== undefined) skip(problem)
  const page = readFileSync(join(PROJECT_FOLDER, 'docs', 'cached-queries.md'), 'utf8')
  const blocks = shellBlocks(page)
  expect(blocks.length).toBeGreaterThan(10)
  const port = await freePort()
  const results = await runBlocks(
    blocks.map(({ text }) => text),
    {
      prologue: `set -o pipefail; ${prologue()}
        trap 'pg_ctl -D pg -m immediate stop >/dev/null 2>&1' EXIT`,
      replaced: [
        ['5432', String(port)],
        ['unix_socket_directories=/tmp', 'unix_socket_directories='],
      ],
      hasChildren: true,
    },
  )
  for (const [i, { line, output, text }] of blocks.entries()) {
    const { stdout, curls } = results[i]!
    const name = `docs/cached-queries.md:${line}\n${stdout}`
    if (output !== undefined) expect(stdout.replaceAll('\r', '').trim(), name).toBe(output.trim())
    if (text.includes('/createCachedQuery') || text.includes('/deleteDatabaseConnection'))
      expect(
        curls.map(({ status }) => status),
        name,
      ).toEqual(curls.map(() => 201))
  }
  const last = results.at(-1)!.stdout
  expect(last).toContain('"status":"deleted","queries":[2],"slotDropped":true}')
  expect(last.trim().endsWith('}'), 'no slot and no publication is left').toBe(true)
})
