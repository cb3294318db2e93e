/** docs/deployments.md, pasted from top to bottom. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runBlocks, shellBlocks } from '../../support/pasted-blocks.ts'
import { PROJECT_FOLDER } from '../../support/service-process.ts'
import { shellProblem } from '../../support/shell.ts'

test('every line works, and answers as the page shows', { timeout: 300_000 }, async ({ skip }) => {
  const problem = await shellProblem(['bash', 'curl'])
  if (problem !== undefined) skip(problem)
  const page = readFileSync(join(PROJECT_FOLDER, 'docs', 'deployments.md'), 'utf8')
  const blocks = shellBlocks(page)
  expect(blocks.length).toBeGreaterThan(7)
  const results = await runBlocks(
    blocks.map(({ text }) => text),
    { prologue: `mkdir docs && cp -r '${join(PROJECT_FOLDER, 'docs', 'examples')}' docs`, hasChildren: true },
  )
  for (const [i, { line, output }] of blocks.entries()) {
    const { stdout, curls } = results[i]!
    const name = `docs/deployments.md:${line}\n${stdout}`
    if (output !== undefined) expect(stdout.trim(), name).toBe(output.trim())
    expect(
      curls.filter(({ status }) => status >= 400),
      name,
    ).toEqual([])
  }
})
