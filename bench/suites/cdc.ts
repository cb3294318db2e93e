/** Change data capture and cached queries: processor time for a row and for a change, and the delay of a cached query. */
import { atLeast, atMost, figure, type Target } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { cachedQuery, changes, snapshot } from '../workloads/captured-table.ts'
import type { Suite, SuiteParts } from './suite.ts'

const GROUPS = 50
const CHANGES_PER_SECOND = 1_000

export function cdcSuite({ buildsUnderTest, quick }: SuiteParts): Suite {
  const rows = quick ? 200_000 : 1_000_000
  const changed = quick ? 50_000 : 500_000
  const seconds = quick ? 10 : 60
  const over = `a table of ${rows.toLocaleString('en-US')} rows`
  return {
    name: 'cdc',
    about: 'capture of a table of PostgreSQL; CPU is that of the service and its child processes',
    cases: ofEach(buildsUnderTest, (build) => [
      snapshot(build, { name: 'cdc-snapshot', about: `snapshot of ${over}`, rows }),
      changes(build, {
        name: 'cdc-changes',
        about: `${changed.toLocaleString('en-US')} updates of ${over}, 100 a transaction`,
        rows,
        changes: changed,
      }),
      cachedQuery(build, {
        name: 'cdc-cached-query',
        about: `${CHANGES_PER_SECOND} changes/s of ${over}, ${GROUPS} groups: p50, p99 from commit to readable rows`,
        rows,
        changesPerSecond: CHANGES_PER_SECOND,
        seconds,
        long: true,
      }),
    ]),
    targets: [
      perCpuSecond('cdc-snapshot', 'rows', 150_000),
      perCpuSecond('cdc-changes', 'changes', 30_000),
      figure('cdc-cached-query', 'p50Ms', atMost(150)),
      figure('cdc-cached-query', 'p99Ms', atMost(1_000)),
      { ...figure('cdc-cached-query', 'rssOwnMb'), row: 'cdc-cached-query, memory of all processes, MB' },
    ],
  }
}

function perCpuSecond(name: string, what: string, least: number): Target {
  return {
    row: `${name}, ${what} per CPU second`,
    ...atLeast(least),
    value: (read) => 1e6 / read(name, 'cpuUsPerEvent'),
  }
}
