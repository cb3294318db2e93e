/** SQL jobs: processor time for an event, the delay of one, memory of many jobs, and what they cost those who write. */
import { atLeast, atMost, figure, ratio, type Target } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { busyJobs } from '../workloads/busy-jobs.ts'
import { changingTable } from '../workloads/changing-table.ts'
import { FILTER, LOOKUP, WINDOW } from '../workloads/job-tables.ts'
import { loneEvents } from '../workloads/lone-events.ts'
import { idleJobs, startWithJobs } from '../workloads/many-jobs.ts'
import { sqlJob } from '../workloads/sql-jobs.ts'
import type { Suite, SuiteParts } from './suite.ts'

const TICK_EVENTS = 10_000
const IDLE_JOBS = 50
const BUSY_JOBS = 10
const STARTED_JOBS = 100

export function jobSuite({ buildsUnderTest, quick }: SuiteParts): Suite {
  const events = quick ? 200_000 : 500_000
  const rows = 1_000_000
  const changes = rows / 100
  const lone = quick ? 2 : 50
  const started = quick ? 10 : STARTED_JOBS
  const over = (about: string) => `${about}; ${events.toLocaleString('en-US')} events, ticks of 10,000`
  return {
    name: 'jobs',
    about: 'SQL jobs; CPU is that of the service and its child processes',
    cases: ofEach(buildsUnderTest, (build) => [
      sqlJob(build, {
        name: 'job-filter',
        about: over('one in five passes'),
        statement: FILTER,
        events,
        tickEvents: TICK_EVENTS,
      }),
      sqlJob(build, {
        name: 'job-window',
        about: over('average per host, CPU and 30 s'),
        statement: WINDOW,
        events,
        tickEvents: TICK_EVENTS,
      }),
      sqlJob(build, {
        name: 'job-lookup',
        about: over('join with a table of PostgreSQL'),
        statement: LOOKUP,
        events,
        tickEvents: TICK_EVENTS,
        long: true,
      }),
      sqlJob(build, {
        name: 'job-filter-backlog',
        about: 'as job-filter, ticks as large as they may be',
        statement: FILTER,
        events,
        long: true,
      }),
      sqlJob(build, {
        name: 'job-window-backlog',
        about: 'as job-window, ticks as large as they may be',
        statement: WINDOW,
        events,
        long: true,
      }),
      loneEvents(build, {
        name: 'job-lone-event',
        about: 'one event at a time: p50, p99 from POST to readable in the sink',
        count: lone,
      }),
      changingTable(build, {
        name: 'job-changing-table',
        about: `sum per group of ${rows.toLocaleString('en-US')} rows of an upsert topic; p50 is CPU of a refresh of ${changes.toLocaleString('en-US')} changes`,
        rows,
        changes,
        refreshes: 10,
        long: true,
      }),
      idleJobs(build, { name: 'jobs-idle-0', about: 'tables and no job', jobs: 0, long: true }),
      idleJobs(build, { name: 'jobs-idle-1', about: '1 job without events', jobs: 1, long: true }),
      idleJobs(build, {
        name: 'jobs-idle-50',
        about: `${IDLE_JOBS} jobs without events`,
        jobs: IDLE_JOBS,
        long: true,
      }),
      busyJobs(build, {
        name: 'posts-without-jobs',
        about: '64 connections write single events',
        jobs: 0,
        long: true,
      }),
      busyJobs(build, {
        name: 'posts-with-jobs',
        about: `the same beside ${BUSY_JOBS} busy jobs`,
        jobs: BUSY_JOBS,
        long: true,
      }),
      startWithJobs(build, {
        name: 'start-with-jobs',
        about: `start to /ping with ${started} jobs`,
        jobs: started,
      }),
    ]),
    targets: [
      perCpuSecond('job-filter', 70_000),
      perCpuSecond('job-window', 100_000),
      perCpuSecond('job-lookup', 60_000),
      {
        row: 'job-lone-event, CPU ms of its tick',
        ...atMost(15),
        value: (read) => read('job-lone-event', 'cpuUsPerEvent') / 1000,
      },
      figure('job-lone-event', 'p50Ms', atMost(250)),
      figure('job-lone-event', 'p99Ms', atMost(600)),
      {
        ...figure('job-changing-table', 'p50Ms', atMost(200)),
        row: 'job-changing-table, CPU ms of a refresh',
      },
      {
        row: `memory of ${IDLE_JOBS} idle jobs beyond that of one, MB`,
        ...atMost(60),
        value: (read) => read('jobs-idle-50', 'rssOwnMb') - read('jobs-idle-1', 'rssOwnMb'),
      },
      {
        row: `CPU of ${IDLE_JOBS} idle jobs beyond that of a service without jobs, % of a core`,
        ...atMost(1),
        value: (read) => read('jobs-idle-50', 'busy') - read('jobs-idle-0', 'busy'),
      },
      ratio('posts-with-jobs', 'posts-without-jobs', 'p99Ms', atMost(2)),
      { ...figure('start-with-jobs', 'p50Ms', atMost(3000)), row: `start with ${started} jobs, ms` },
    ],
  }
}

function perCpuSecond(name: string, least: number): Target {
  return {
    row: `${name}, events per CPU second`,
    ...atLeast(least),
    value: (read) => 1e6 / read(name, 'cpuUsPerEvent'),
  }
}
