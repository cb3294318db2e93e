/** How the rows of a SELECT come about, what of it the engine can run, and its hidden columns. */
import type { Node } from '../../sql/tree.ts'
import type { Contents } from './expression-resolver.ts'
import type { FromPart } from './from-part.ts'
import type { Resolution } from './resolution.ts'
import type { Kind, ScopeColumn } from './scope.ts'

export interface Clause {
  readonly nodes: readonly Node[]
  readonly contents: Contents
}

export interface SelectLevel {
  /** As the parser made it. */
  readonly node: Node
  readonly from: FromPart
  readonly list: Clause
  readonly where: Clause
  readonly groups: Clause
  readonly having: Clause
  readonly outputs: readonly { readonly item: Node; readonly column: ScopeColumn }[]
}

/** Throws SqlProblem for what the engine cannot run. */
export function checkSelect(resolution: Resolution, level: SelectLevel): Kind {
  checkClauses(resolution, level)
  checkQueries(resolution, level)
  switch (level.from.kind) {
    case 'append':
      return streamKind(resolution, level)
    case 'window':
      checkWindows(resolution, level)
      return 'window'
    case 'running':
      checkRunning(resolution, level)
      return 'running'
    case 'fixed':
    case 'changing': {
      const isChanging = queriesOf(level).some(({ resolved }) => resolved.kind === 'changing')
      return isChanging ? 'changing' : level.from.kind
    }
  }
}

function checkClauses(resolution: Resolution, { where, groups }: SelectLevel): void {
  for (const { contents, name } of [
    { contents: where.contents, name: 'WHERE' },
    { contents: groups.contents, name: 'GROUP BY' },
  ]) {
    const wrong = contents.aggregates[0] ?? contents.overs[0]
    if (wrong !== undefined) throw resolution.problem(`${name} takes no aggregates`, wrong)
  }
  const position = groups.nodes.find((one) => one.class === 'CONSTANT')
  if (position !== undefined)
    throw resolution.problem('GROUP BY takes columns and expressions, not positions', position)
}

/** Sub-queries in the expressions of a level. */
export function queriesOf({ list, where, groups, having }: SelectLevel): Contents['queries'] {
  return [list, where, groups, having].flatMap(({ contents }) => contents.queries)
}

function checkQueries(resolution: Resolution, level: SelectLevel): void {
  const isStream = level.from.kind !== 'fixed' && level.from.kind !== 'changing'
  for (const { node, resolved } of queriesOf(level)) {
    const isFixed = resolved.kind === 'fixed' || (resolved.kind === 'changing' && !isStream)
    if (!isFixed)
      throw resolution.unsupported('a sub-query in an expression over a stream is not supported', node)
  }
}

function isAggregated({ groups, list, having }: SelectLevel): boolean {
  return (
    groups.nodes.length > 0 ||
    list.contents.aggregates.length > 0 ||
    having.contents.aggregates.length > 0 ||
    having.nodes.length > 0
  )
}

function modifiersOf({ node }: SelectLevel, type: string): Node | undefined {
  return (node.modifiers as readonly Node[]).find((modifier) => modifier.type === type)
}

function refuseModifiers(
  resolution: Resolution,
  level: SelectLevel,
  types: readonly string[],
  over: string,
): void {
  const names: Readonly<Record<string, string>> = {
    DISTINCT_MODIFIER: 'DISTINCT',
    ORDER_MODIFIER: 'ORDER BY',
    LIMIT_MODIFIER: 'LIMIT',
    LIMIT_PERCENT_MODIFIER: 'LIMIT',
  }
  for (const type of types) {
    const modifier = modifiersOf(level, type)
    if (modifier === undefined) continue
    const place = type === 'DISTINCT_MODIFIER' ? level.list.nodes[0] : modifier
    throw resolution.unsupported(`${names[type]} over ${over} is not supported`, place)
  }
}

const ORDER_AND_LIMIT = ['ORDER_MODIFIER', 'LIMIT_MODIFIER', 'LIMIT_PERCENT_MODIFIER']

function streamKind(resolution: Resolution, level: SelectLevel): Kind {
  const over = level.list.contents.overs[0] ?? level.having.contents.overs[0]
  if (over !== undefined) throw resolution.unsupported('OVER over a stream is not supported', over)
  refuseModifiers(resolution, level, ['DISTINCT_MODIFIER', ...ORDER_AND_LIMIT], 'a stream')
  return isAggregated(level) ? 'running' : 'append'
}

function checkRunning(resolution: Resolution, level: SelectLevel): void {
  const place = level.list.contents.aggregates[0] ?? level.groups.nodes[0] ?? level.list.contents.overs[0]
  if (isAggregated(level) || level.list.contents.overs.length > 0) {
    throw resolution.unsupported('an aggregate over the groups of a stream is not supported', place)
  }
  refuseModifiers(resolution, level, ['DISTINCT_MODIFIER', ...ORDER_AND_LIMIT], 'the groups of a stream')
}

function checkWindows(resolution: Resolution, level: SelectLevel): void {
  const { list, groups, node, from } = level
  refuseModifiers(resolution, level, ORDER_AND_LIMIT, 'windows')
  if (isAggregated(level)) {
    const sets = node.group_sets as readonly (readonly number[])[]
    const isPerWindow =
      groups.nodes.length > 0 &&
      sets.every((set) =>
        identifiesWindow(
          resolution,
          set.map((i) => groups.nodes[i]!),
          from,
        ),
      )
    if (!isPerWindow) {
      throw resolution.unsupported(
        `an aggregate over windows needs ${from.isCumulate ? 'window_end' : 'window_start or window_end'} in GROUP BY`,
        groups.nodes[0] ?? list.contents.aggregates[0],
      )
    }
  }
  for (const over of list.contents.overs) checkOver(resolution, over, level)
  if (
    modifiersOf(level, 'DISTINCT_MODIFIER') !== undefined &&
    !identifiesWindow(resolution, list.nodes, from)
  ) {
    throw resolution.unsupported(
      'DISTINCT over windows needs window_start or window_end among its columns',
      list.nodes[0],
    )
  }
}

function checkOver(resolution: Resolution, over: Node, { from }: SelectLevel): void {
  // The resolver copies nodes, so references are found by the names in the original partition.
  const partitions = over.partitions as readonly Node[]
  const bounds = partitions.flatMap((one) => {
    if (one.class !== 'COLUMN_REF') return []
    const name = (one.column_names as readonly string[]).at(-1)
    return from.entries.flatMap((entry) =>
      entry.columns.filter((column) => column.name === name && column.bound),
    )
  })
  if (!bounds.some(({ bound }) => bound === 'end' || !from.isCumulate)) {
    throw resolution.unsupported('OVER over windows needs window_start or window_end in PARTITION BY', over)
  }
}

function identifiesWindow(
  { meanings }: Resolution,
  nodes: readonly Node[],
  { isCumulate }: FromPart,
): boolean {
  return nodes.some((node) => {
    const bound = meanings.get(node)?.column.bound
    return bound === 'end' || (bound === 'start' && !isCumulate)
  })
}

/** Adds __ord or __end as first column, to groups, and to partitions of OVER. */
export function withHiddenColumns(select: Node, kind: Kind, hidden: Node | undefined): Node {
  if (hidden === undefined || (kind !== 'append' && kind !== 'window')) return select
  const alias = kind === 'append' ? '__ord' : '__end'
  const groups = select.group_expressions as readonly Node[]
  const sets = select.group_sets as readonly (readonly number[])[]
  const isGrouped = groups.length > 0
  const items = (select.select_list as readonly Node[]).map((item) => withPartition(item, hidden) as Node)
  return {
    ...select,
    select_list: [{ ...hidden, alias }, ...items],
    group_expressions: isGrouped ? [...groups, hidden] : groups,
    group_sets: isGrouped ? sets.map((set) => [...set, groups.length]) : sets,
  }
}

function withPartition(value: unknown, hidden: Node): unknown {
  if (Array.isArray(value)) return value.map((one) => withPartition(one, hidden))
  if (typeof value !== 'object' || value === null) return value
  const node = value as Node
  if (node.class === 'SUBQUERY' || node.class === 'COLUMN_REF') return node
  const copy = Object.fromEntries(
    Object.entries(node).map(([member, one]) => [member, withPartition(one, hidden)]),
  )
  return node.class === 'WINDOW'
    ? { ...copy, partitions: [...(copy.partitions as readonly Node[]), hidden] }
    : copy
}
