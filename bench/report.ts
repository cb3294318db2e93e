/** Results -> tables for the terminal. */
import { type Change, comparedTitle, type VerdictChange } from './changes.ts'
import { METRICS, type Metric } from './metrics.ts'
import type { CaseResult, SuiteResult } from './rounds.ts'
import { complaintsOf, verificationOf } from './soundness.ts'
import { type Column, formatNumber, formatTable } from './table.ts'
import type { Verdict } from './targets.ts'

const ABSENT = '-'
/** `dataMb`, bytes sent or read, has no column: it is only part of a ratio. */
const NOT_SHOWN: readonly Metric[] = ['dataMb']

export function suiteTables(suite: SuiteResult): string {
  const rounds = suite.rounds === 1 ? '1 round' : `medians of ${suite.rounds} rounds`
  const parts = [`\n${suite.name}: ${suite.about} (${rounds})\n\n`, caseTable(suite.cases)]
  if (suite.verdicts.length > 0) parts.push('\n', verdictTable(suite.verdicts))
  return parts.join('')
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return formatTable<Verdict>(
    [
      { title: 'ratio or limit', align: 'left', text: ({ row }) => row },
      { title: 'value', align: 'right', text: ({ value }) => ratioText(value) },
      { title: 'in rounds', align: 'right', text: spread },
      { title: 'must reach', align: 'right', text: bound },
      {
        title: '',
        align: 'left',
        text: ({ outcome, reason }) => (reason ? `${outcome}: ${reason}` : outcome),
      },
    ],
    verdicts,
  )
}

export function changeTable(changes: readonly Change[]): string {
  return formatTable<Change>(
    [
      { title: 'case', align: 'left', text: ({ name }) => name },
      ...metricsIn(changes.map(({ factors }) => factors)).map(
        (metric): Column<Change> => ({
          title: comparedTitle(metric),
          align: 'right',
          text: ({ factors }) => (factors[metric] === undefined ? ABSENT : `× ${factors[metric].toFixed(2)}`),
        }),
      ),
    ],
    changes,
  )
}

export function verdictChangeTable(changes: readonly VerdictChange[]): string {
  return formatTable<VerdictChange>(
    [
      { title: 'ratio or limit', align: 'left', text: ({ row }) => row },
      { title: 'before', align: 'right', text: ({ before }) => ratioText(before) },
      { title: 'now', align: 'right', text: ({ after }) => ratioText(after) },
    ],
    changes,
  )
}

function caseTable(cases: readonly CaseResult[]): string {
  const shown = metricsIn(cases.map(({ medians }) => medians)).filter((metric) => !NOT_SHOWN.includes(metric))
  return formatTable<CaseResult>(
    [
      { title: 'case', align: 'left', text: ({ name }) => name },
      ...shown.map(
        (metric): Column<CaseResult> => ({
          title: METRICS[metric].title,
          align: 'right',
          text: ({ medians }) => orAbsent(medians[metric]),
        }),
      ),
      { title: '', align: 'left', text: remarks },
    ],
    cases,
  )
}

/** The remark of a row: its problem, why it is empty, that it was verified, or the description of the case. */
function remarks(result: CaseResult): string {
  const complaints = complaintsOf(result)
  if (complaints.length > 0) return complaints.join('; ')
  if (result.problem !== undefined) return `not measured: ${result.problem}`
  return [result.about, verificationOf(result)].filter((part) => part !== undefined).join('; ')
}

function metricsIn(rows: readonly Partial<Record<Metric, number>>[]): Metric[] {
  return (Object.keys(METRICS) as Metric[]).filter((metric) => rows.some((row) => row[metric] !== undefined))
}

function bound({ atLeast, atMost }: Verdict): string {
  if (atLeast !== undefined) return `>= ${atLeast}`
  return atMost === undefined ? '' : `<= ${atMost}`
}

function spread({ lowest, highest }: Verdict): string {
  if (lowest === undefined || highest === undefined) return ''
  return `${ratioText(lowest)} - ${ratioText(highest)}`
}

/** So that what fell short of its bound by little is seen to. */
function ratioText(value: number | undefined): string {
  return value !== undefined && value < 10 ? value.toFixed(3) : orAbsent(value)
}

function orAbsent(value: number | undefined): string {
  return value === undefined ? ABSENT : formatNumber(value)
}
