/** The relation that a window function makes: the columns of its rows, and the bounds of their windows. */
import { encodedName } from '../../sql/encoded-name.ts'
import { ON_FLINK, type SqlProblem } from '../../sql/sql-problem.ts'
import type { WindowKind } from '../../sql/window-function.ts'
import { columnsOf } from './plan-relations.ts'
import { relationKind } from './planner-table.ts'
import type { Cte, Ctes, Resolution, WindowUse } from './resolution.ts'
import type { ScopeColumn } from './scope.ts'
import { neededCtes } from './tree-nodes.ts'

export interface WindowRelation {
  readonly relation: string
  readonly kind: WindowKind
  readonly visible: readonly ScopeColumn[]
  readonly sources: ReadonlySet<string>
}

interface Input {
  readonly from: string
  readonly columns: readonly ScopeColumn[]
  readonly sources: ReadonlySet<string>
  readonly ctes: WindowUse['ctes']
}

const BOUNDS: readonly ScopeColumn[] = [
  { name: 'window_start', sql: 'window_start', bound: 'start' },
  { name: 'window_end', sql: 'window_end', bound: 'end' },
  { name: 'window_time', sql: 'window_time' },
]

/** Windows of a statement: each has tables and state of its own. */
const WINDOWS_MAX = 16

/** A view as a query of WITH; undefined if there is no view of this name. */
type ViewOf = (name: string, refuse: (reason: string) => SqlProblem) => Cte | undefined

export function windowRelation(
  resolution: Resolution,
  ctes: Ctes,
  index: number,
  viewOf: ViewOf,
): WindowRelation {
  const window = resolution.query.windows[index]!
  if (resolution.firstWindow + resolution.windows.length >= WINDOWS_MAX) {
    throw resolution.problemAt(`the statement has more than ${WINDOWS_MAX} windows`, window.token)
  }
  const input = inputOf(resolution, ctes, index, viewOf)
  const { timeColumn: token } = window
  const time = input.columns.find(({ name }) => name === encodedName(token.value))
  if (time === undefined) {
    throw resolution.problemAt(
      `column '${token.value}' of DESCRIPTOR does not exist in ${window.table.value}`,
      token,
    )
  }
  if (time.time !== 'rowtime') {
    const reason = `DESCRIPTOR takes the watermark column of a table, and ${token.value} is none`
    throw resolution.problemAt(reason + ON_FLINK, token)
  }
  const clash = input.columns.find(({ name }) => BOUNDS.some((bound) => bound.name === name))
  if (clash !== undefined) {
    throw resolution.problemAt(
      `${window.table.value} has a column ${clash.name} already; give it another name`,
      window.table,
    )
  }
  const used = new Set<string>()
  time.use?.()
  used.add(time.sql)
  const relation = `w${resolution.firstWindow + resolution.windows.length}`
  resolution.windows.push({ relation, window, used, timeColumn: time.sql, ...input })
  const visible = input.columns.map((column) => ({
    name: column.name,
    sql: column.sql,
    use: () => {
      used.add(column.sql)
      column.use?.()
    },
  }))
  return { relation, kind: window.kind, visible: [...visible, ...BOUNDS], sources: input.sources }
}

function inputOf(resolution: Resolution, ctes: Ctes, index: number, viewOf: ViewOf): Input {
  const { table: token } = resolution.query.windows[index]!
  const refuse = (reason: string) => resolution.problemAt(reason, token)
  const cte = ctes.get(encodedName(token.value)) ?? viewOf(token.value, refuse)
  if (cte === undefined) {
    const table = resolution.table(token.value, refuse)
    if (relationKind(table) !== 'append') {
      throw resolution.problemAt(
        `a window takes rows of a stream, and ${table.name} is none${ON_FLINK}`,
        token,
      )
    }
    const source = resolution.relations.source(table)
    return {
      from: source.relation,
      columns: columnsOf(source),
      sources: new Set([source.relation]),
      ctes: [],
    }
  }
  const { kind, columns, sources } = cte.resolved
  if (kind !== 'append') {
    throw resolution.problemAt(
      `a window takes rows of a stream, and ${token.value} has none${ON_FLINK}`,
      token,
    )
  }
  const all = [...resolution.views.nodes, ...[...ctes.values()].map(({ node }) => node)]
  return { from: cte.node.key, columns, sources, ctes: [...neededCtes(all, cte.resolved.node), cte.node] }
}
