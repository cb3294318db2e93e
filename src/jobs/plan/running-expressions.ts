/**
 * Expressions over groups, with Flink's meaning already: each group key becomes the column g<i> of `merged`, and each aggregate
 * of DuckDB the column a<i>. Operands of aggregates become columns v<i> of the input.
 */
import { decodedName } from '../../sql/encoded-name.ts'
import { ON_FLINK } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import type { PlanContext } from './plan-context.ts'
import type { RunningAggregate } from './running-plan.ts'
import { isNode, nodesOf, outputColumn } from './tree-nodes.ts'

const KINDS: ReadonlyMap<string, RunningAggregate['kind']> = new Map([
  ['count_star', 'count-rows'],
  ['count', 'count'],
  ['sum', 'sum'],
  ['avg', 'avg'],
  ['min', 'min'],
  ['max', 'max'],
])

export class RunningExpressions {
  readonly #groups: readonly Node[]
  readonly #groupTexts: readonly string[]
  readonly #context: PlanContext
  /** By their text. */
  readonly #values = new Map<string, Node>()
  readonly #aggregates = new Map<string, RunningAggregate>()

  constructor(groups: readonly Node[], context: PlanContext) {
    this.#groups = groups
    this.#groupTexts = groups.map(textOf)
    this.#context = context
  }

  get aggregates(): readonly RunningAggregate[] {
    return [...this.#aggregates.values()]
  }

  get valueCount(): number {
    return this.#values.size
  }

  /** g0, …, v0, …: after all expressions have been replaced. */
  get input(): readonly Node[] {
    const groups = this.#groups.map((node, index) => ({ ...node, alias: `g${index}` }))
    const values = [...this.#values.values()].map((node, index) => ({ ...node, alias: `v${index}` }))
    return [...groups, ...values]
  }

  /** Throws SqlProblem for a column that is neither grouped nor aggregated. */
  replaced(node: Node, bound: ReadonlySet<string> = NONE): Node {
    const group = this.#groupTexts.indexOf(textOf(node))
    if (group !== -1) return { ...outputColumn(`g${group}`), alias: node.alias ?? '' }
    if (node.class === 'SUBQUERY')
      throw this.#context.problem(`a sub-query over the groups of a stream is not supported${ON_FLINK}`, node)
    if (node.class === 'COLUMN_REF') {
      const [first, name = first] = node.column_names as readonly string[]
      if (bound.has(first ?? '')) return node
      throw this.#context.problem(`Expression '${decodedName(name!)}' is not being grouped`, node)
    }
    const kind = node.class === 'FUNCTION' ? KINDS.get(String(node.function_name)) : undefined
    if (kind !== undefined)
      return { ...outputColumn(`a${this.#aggregate(kind, node)}`), alias: node.alias ?? '' }
    const inner = node.class === 'LAMBDA' ? new Set([...bound, ...parametersOf(node)]) : bound
    return Object.fromEntries(
      Object.entries(node).map(([member, value]) => [member, this.#value(member, value, inner)]),
    ) as Node
  }

  #value(member: string, value: unknown, bound: ReadonlySet<string>): unknown {
    if (member === 'value' || member === 'cast_type') return value
    if (Array.isArray(value)) return value.map((one) => (isNode(one) ? this.replaced(one, bound) : one))
    return isNode(value) ? this.replaced(value, bound) : value
  }

  #aggregate(kind: RunningAggregate['kind'], call: Node): number {
    const [operand] = call.children as readonly Node[]
    const filter = isNode(call.filter) ? call.filter : undefined
    const counted = operand ?? ONE
    const value = kind === 'count-rows' && filter === undefined ? undefined : this.#operand(counted, filter)
    const aggregate: RunningAggregate = {
      kind: kind === 'count-rows' && value !== undefined ? 'count' : kind,
      isDistinct: call.distinct === true,
      value,
    }
    const text = JSON.stringify(aggregate)
    if (!this.#aggregates.has(text)) this.#aggregates.set(text, aggregate)
    return [...this.#aggregates.keys()].indexOf(text)
  }

  /** The index of the operand, which is NULL where FILTER excludes the row. */
  #operand(operand: Node, filter: Node | undefined): number {
    const node = filter === undefined ? operand : caseWhen(filter, operand)
    const text = textOf(node)
    if (!this.#values.has(text)) this.#values.set(text, node)
    return [...this.#values.keys()].indexOf(text)
  }
}

const NONE: ReadonlySet<string> = new Set()

/** Flink's meaning uses lambdas to compute a value once. */
function parametersOf({ lhs }: Node): readonly string[] {
  return [...nodesOf(lhs as Node)].flatMap((node) =>
    node.class === 'COLUMN_REF' ? (node.column_names as readonly string[]) : [],
  )
}

/** Equal for equal expressions, wherever they stand. */
export function textOf(node: Node): string {
  return JSON.stringify(node, (member, value: unknown) =>
    member === 'query_location' || member === 'alias' ? undefined : value,
  )
}

const ONE: Node = {
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  alias: '',
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 1 },
}

/** `CASE WHEN condition THEN value END` */
function caseWhen(condition: Node, value: Node): Node {
  const none: Node = {
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    alias: '',
    value: { type: { id: 'NULL', type_info: null }, is_null: true },
  }
  return {
    class: 'CASE',
    type: 'CASE_EXPR',
    alias: '',
    case_checks: [{ when_expr: condition, then_expr: value }],
    else_expr: none,
  }
}
