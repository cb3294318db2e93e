/** The operators of a job as the API shows them, with the names that users of Flink know. */
import { decodedName } from '../../sql/encoded-name.ts'
import type { InsertPlan, SourcePlan, VertexPlan, WindowPlan } from './job-plan.ts'

export interface VertexInput {
  readonly insert: InsertPlan
  /** s0, … */
  readonly sources: ReadonlySet<string>
  /** Names of tables of its lookups. */
  readonly lookups: readonly string[]
}

export function verticesOf(sources: readonly SourcePlan[], inserts: readonly VertexInput[]): VertexPlan[] {
  const first = sources.map(({ tableName }, index) => vertex(`Source: ${tableName}`, 'source', index, []))
  const queries = inserts.map((input, index) => {
    const inputs = sources.flatMap(({ relation }, i) => (input.sources.has(relation) ? [i] : []))
    return vertex(queryName(input), 'query', index, inputs)
  })
  const sinks = inserts.map(({ insert }, index) =>
    vertex(`Sink: ${insert.sink.tableName}`, 'sink', index, [sources.length + index]),
  )
  return [...first, ...queries, ...sinks]
}

function vertex(
  name: string,
  kind: VertexPlan['kind'],
  index: number,
  inputs: readonly number[],
): VertexPlan {
  return { name, kind, index, inputs }
}

function queryName({ insert, lookups }: VertexInput): string {
  const before = lookups.map((table) => `LookupJoin(table=[${table}])`)
  return [...before, operatorName(insert)].join(' -> ')
}

function operatorName(insert: InsertPlan): string {
  switch (insert.way) {
    case 'arrival':
    case 'once':
      return 'Calc'
    case 'window':
      return `WindowAggregate(${insert.windows.map((window) => `window=[${windowName(window)}]`).join(', ')})`
    case 'running':
      return 'GroupAggregate'
    case 'refresh':
      return 'Refresh'
  }
}

function windowName({ kind, timeColumn, sizeMs, slideMs }: WindowPlan): string {
  const step = { TUMBLE: '', HOP: `, slide=[${seconds(slideMs)}]`, CUMULATE: `, step=[${seconds(slideMs)}]` }[
    kind
  ]
  return `${kind}(time_col=[${decodedName(timeColumn)}], size=[${seconds(sizeMs)}]${step})`
}

function seconds(ms: number): string {
  return `${ms / 1000} s`
}
