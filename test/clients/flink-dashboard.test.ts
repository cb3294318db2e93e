// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have parameters in this form
/**
 * Flink's own web dashboard at `--flink-port`, in Chromium: every page of the cluster and of a job, a SQL jar that is uploaded and
 * submitted, and a job that is cancelled. No request fails, and nothing is an error on the console.
 */
import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { freePort } from '../support/free-port.ts'
import { jarOf } from '../support/jars.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { clientJars } from './client-files.ts'
import { tellSkipped } from './client-run.ts'
import { startTutorial } from './flink-tutorial.ts'

const VERSION = '1.20.1'
const CLIENT = `dashboard of Flink ${VERSION}`
const NAMESPACE = 'demo_flink'
const WITHIN_MS = 180_000
/** The dashboard asks again every three seconds: a page has asked for all by then. */
const STAY_MS = 3_500
/** Folders for people who look at the pages. Undefined: a temporary one. */
const { SCREENSHOTS } = process.env
const SCRIPT =
  'INSERT INTO CPU_OUT_FILTER SELECT time_ltz, hostname, cpu, usage FROM CPU_IN WHERE usage > ${least}'

test(CLIENT, async ({ skip }) => {
  const jars = clientJars('dashboard')
  const program = ['chromium', 'chromium-browser', 'google-chrome'].find(
    (name) => spawnSync(name, ['--version']).error === undefined,
  )
  const problem =
    'missing' in jars ? jars.missing : program === undefined ? 'chromium is not installed' : undefined
  if (problem !== undefined || 'missing' in jars) {
    tellSkipped(CLIENT, problem!)
    return skip(problem)
  }
  const folder = await temporaryFolder()
  const pictures = SCREENSHOTS ?? join(folder, 'pictures')
  await mkdir(pictures, { recursive: true })
  const jar = join(jars.folder, `flink-runtime-web-${VERSION}.jar`)
  expect(spawnSync('jar', ['xf', jar, 'web'], { cwd: folder }).status).toBe(0)
  await writeFile(join(folder, 'high.jar'), jarOf({ 'high.sql': SCRIPT }))
  const flinkPort = await freePort()
  const args = [
    '--flink-port',
    String(flinkPort),
    '--flink-dashboard',
    join(folder, 'web'),
    '--log-dir',
    join(folder, 'log'),
  ]
  const service = await startServiceProcess(join(folder, 'data'), { args, hasChildren: true })
  const jobs = await startTutorial(service, NAMESPACE)

  const browser = await opened(program!)
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } })
  page.setDefaultTimeout(WITHIN_MS)
  const seen = watched(page)
  const at = `http://127.0.0.1:${flinkPort}`
  let pages = 0
  const visit = async (path: string, ...texts: readonly (string | RegExp)[]) => {
    await page.goto(`${at}/#/${path}`)
    for (const text of texts) await page.getByText(text).first().waitFor()
    await page.waitForTimeout(STAY_MS)
    await page.screenshot({ path: join(pictures, `${++pages}-${path.replaceAll(/[^a-z]+/g, '-')}.png`) })
  }

  await visit('overview', 'Available Task Slots', 'simple_agg')
  await visit('job/running', 'simple_filter', 'simple_agg')
  await visit('job/completed', 'Completed Jobs')
  const job = `job/running/${jobs.get('simple_agg')}`
  await visit(`${job}/overview`, 'Source: CPU_IN', 'Sink: CPU_OUT_AGG')
  const { vertices } = (await (await fetch(`${at}/jobs/${jobs.get('simple_agg')}`)).json()) as {
    vertices: { id: string }[]
  }
  const vertex = `${job}/overview/${vertices[1]!.id}`
  for (const tab of [
    'detail',
    'subtasks',
    'taskmanagers',
    'watermarks',
    'accumulators',
    'backpressure',
    'metrics',
  ])
    await visit(`${vertex}/${tab}`)
  await visit(`${job}/exceptions`, 'Exception History')
  await visit(`${job}/timeline`, 'simple_agg')
  await visit(`${job}/checkpoints`, 'Latest Completed Checkpoint')
  for (const tab of ['History', 'Summary', 'Configuration']) {
    await page.getByText(tab, { exact: true }).last().click()
    await page.waitForTimeout(1_000)
  }
  await visit(`${job}/configuration`, 'Execution Configuration')
  await visit('task-manager', 'Last Heartbeat')
  const { taskmanagers } = (await (await fetch(`${at}/taskmanagers`)).json()) as {
    taskmanagers: { id: string }[]
  }
  const manager = `task-manager/${taskmanagers[0]!.id}`
  for (const tab of ['metrics', 'logs', 'stdout', 'log-list', 'thread-dump']) await visit(`${manager}/${tab}`)
  for (const tab of ['metrics', 'config', 'logs', 'stdout', 'log', 'thread-dump'])
    await visit(`job-manager/${tab}`)

  await visit('submit', 'Uploaded Jars')
  await page.locator('input[type=file]').setInputFiles(join(folder, 'high.jar'))
  await page.getByText('high.jar').first().click()
  await page.getByPlaceholder('Program Arguments').fill(`--namespace ${NAMESPACE} --least 90`)
  await page.getByRole('button', { name: 'Submit' }).click()
  await page.waitForURL(/\/#\/job\/running\/[0-9a-f]{32}/)
  await page.getByText('Sink: CPU_OUT_FILTER').first().waitFor()
  const submitted = /[0-9a-f]{32}/.exec(page.url())![0]
  await page.getByText('Cancel Job').first().click()
  await page.getByRole('button', { name: 'Yes' }).click()
  const state = async () =>
    ((await (await fetch(`${at}/jobs/${submitted}`)).json()) as { state: string }).state
  await expect.poll(state, { timeout: WITHIN_MS }).toBe('CANCELED')
  await visit('job/completed', 'CANCELED')

  tellProof(`clients ${CLIENT}`, { pages, requests: seen.requests, problems: seen.problems.length })
  expect(seen.problems).toEqual([])
})

async function opened(program: string): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: `/usr/bin/${program}`, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  return browser
}

/** What goes wrong on the page. A request that the page itself gives up, because another page is opened, is no problem. */
function watched(page: Page): { requests: number; readonly problems: string[] } {
  const seen = { requests: 0, problems: [] as string[] }
  page.on('request', () => seen.requests++)
  page.on('response', (answer) => {
    if (answer.status() >= 400)
      seen.problems.push(`${answer.request().method()} ${answer.url()} answered ${answer.status()}`)
  })
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText
    if (reason !== 'net::ERR_ABORTED') seen.problems.push(`${request.method()} ${request.url()}: ${reason}`)
  })
  page.on('console', (message) => {
    if (message.type() === 'error') seen.problems.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => seen.problems.push(`page: ${error.message}`))
  return seen
}
