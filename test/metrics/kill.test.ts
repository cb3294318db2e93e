/** What metrics say of a service that was killed: of a process, with real files. */

import { expect, test } from 'vitest'
import { proven } from '../support/proven.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'

const STREAMS = '/v3/namespaces/default/streams'
const LINES = 'x'.repeat(99).concat('\n').repeat(20_000)

interface Series {
  readonly metricName: string
  readonly data: readonly { readonly value: number }[]
}

/** Sums of all points, by the metric. */
async function sums({ base }: ServiceProcess, range: string): Promise<Record<string, number>> {
  const metrics = 'metric=system.collect.events&metric=system.collect.bytes'
  const answer = await fetch(`${base}/v3/metrics/query?${metrics}&tag=stream:s&${range}`, { method: 'POST' })
  const { series } = (await answer.json()) as { series: Series[] }
  const sum = ({ data }: Series) => data.reduce((total, { value }) => total + value, 0)
  return Object.fromEntries(series.map((one) => [one.metricName, sum(one)]))
}

test('after SIGKILL totals and series have every event that was acknowledged', {
  timeout: 120_000,
}, async () => {
  const folder = await temporaryFolder()
  let service = await startServiceProcess(folder)
  const post = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const { status } = await fetch(`${service.base}${STREAMS}/${path}`, { method: 'POST', body, headers })
    expect(status, path).toBe(200)
  }
  await fetch(`${service.base}${STREAMS}/s`, { method: 'PUT' })
  let events = 0
  let bytes = 0
  for (let round = 1; round <= 4; round++) {
    await Promise.all(Array.from({ length: 200 }, () => post('s', 'abc')))
    await post('s/batch', 'a\nbc\n', { 'Content-Type': 'text/plain' })
    await post('s/batch', LINES, { 'Content-Type': 'text/plain' })
    events += 20_202
    bytes += 600 + 3 + 20_000 * 99
    const expected = { 'system.collect.events': events, 'system.collect.bytes': bytes }
    if (round === 2) await post('s/truncate', '') // only the totals have the events before it
    if (round === 2) await service.stop()
    else await service.kill()
    service = await startServiceProcess(folder)
    const totals = await sums(service, 'aggregate=true')
    await proven(() => expect(totals, `round ${round}`).toEqual(expected))
    for (const resolution of ['1s', '1m', '1h']) {
      const range = `start=now-50m&end=now%2B1m&resolution=${resolution}`
      const series = await sums(service, range)
      await proven(() => expect(series, `round ${round}, by ${resolution}`).toEqual(expected))
    }
  }
})
