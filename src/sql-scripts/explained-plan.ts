/** What EXPLAIN shows: the operators of a job as a tree, sinks first, or what is known of a query. */
import type { JobOutlineView } from '../jobs/job-service.ts'
import type { DescribedQuery } from '../jobs/plan/planner-protocol.ts'
import { printType } from '../sql/data-types.ts'

const HEADING = '== Execution Plan =='

export function explainedJob({ vertices }: JobOutlineView): string {
  const lines = (index: number, depth: number): string[] => {
    const { name, inputs } = vertices[index]!
    const indent = depth === 0 ? '' : `${'   '.repeat(depth - 1)}+- `
    return [indent + name, ...inputs.flatMap((input) => lines(input, depth + 1))]
  }
  const sinks = vertices.flatMap(({ kind }, index) => (kind === 'sink' ? [index] : []))
  return [HEADING, ...sinks.flatMap((index) => lines(index, 0))].join('\n')
}

const ROWS: Readonly<Record<DescribedQuery['kind'], string>> = {
  fixed: 'rows that are read once',
  append: 'a row for each event',
  window: 'rows of windows that close',
  running: 'changes of groups',
  changing: 'changes of the result',
}

export function explainedQuery({ columns, kind, tables }: DescribedQuery): string {
  const shown = columns.map(({ name, type }) => `${name} ${printType(type)}`).join(', ')
  return [HEADING, `Query(${shown}): ${ROWS[kind]}`, ...tables.map((name) => `+- Source: ${name}`)].join('\n')
}
