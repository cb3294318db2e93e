/** Nodes that planning adds to the tree of a query, and walks over its expressions. */
import type { Node } from '../../sql/tree.ts'

export function columnOf(relation: string, column: string, alias = ''): Node {
  return { class: 'COLUMN_REF', type: 'COLUMN_REF', alias, column_names: [relation, column] }
}

export function outputColumn(column: string): Node {
  return { class: 'COLUMN_REF', type: 'COLUMN_REF', alias: '', column_names: [column] }
}

export function baseTable(relation: string, alias: string): Node {
  return {
    type: 'BASE_TABLE',
    alias,
    sample: null,
    schema_name: '',
    table_name: relation,
    column_name_alias: [],
    catalog_name: '',
    at_clause: null,
  }
}

export interface SelectParts {
  readonly list: readonly Node[]
  readonly from: Node
  readonly where?: Node | null
  readonly ctes?: readonly CteNode[]
}

/** An entry of `cte_map.map`. */
export interface CteNode {
  readonly key: string
  readonly value: Node
}

export function selectNode({ list, from, where = null, ctes = [] }: SelectParts): Node {
  return {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: ctes },
    select_list: list,
    from_table: from,
    where_clause: where,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
  }
}

export function cteNode(key: string, query: Node): CteNode {
  return {
    key,
    value: {
      aliases: [],
      query: { node: query, named_param_map: [] },
      materialized: 'CTE_MATERIALIZE_DEFAULT',
      key_targets: [],
    },
  }
}

export function conjunction(conditions: readonly Node[]): Node | null {
  if (conditions.length < 2) return conditions[0] ?? null
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children: conditions }
}

export function equality(left: Node, right: Node): Node {
  return { class: 'COMPARISON', type: 'COMPARE_EQUAL', alias: '', left, right }
}

export function coalesce(...children: readonly Node[]): Node {
  return { class: 'OPERATOR', type: 'OPERATOR_COALESCE', alias: '', children }
}

export function structField(struct: Node, field: string): Node {
  const name: Node = {
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    alias: '',
    value: { type: { id: 'VARCHAR', type_info: null }, is_null: false, value: field },
  }
  return { class: 'OPERATOR', type: 'STRUCT_EXTRACT', alias: '', children: [struct, name] }
}

export function conjuncts(condition: Node | null | undefined): readonly Node[] {
  if (condition === null || condition === undefined) return []
  if (condition.type !== 'CONJUNCTION_AND') return [condition]
  return (condition.children as readonly Node[]).flatMap(conjuncts)
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every object within, itself first. */
export function* nodesOf(root: Node): Generator<Node> {
  const left: unknown[] = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (Array.isArray(value)) for (const item of value) left.push(item)
    else if (isNode(value)) {
      yield value
      for (const item of Object.values(value)) left.push(item)
    }
  }
}

/** Only those definitions that the query or another one among them names; inner definitions of the same name count too. */
export function neededCtes(ctes: readonly CteNode[], query: Node): readonly CteNode[] {
  const needed: CteNode[] = []
  const names = tablesIn(query)
  for (const cte of [...ctes].reverse()) {
    if (!names.has(cte.key)) continue
    needed.unshift(cte)
    for (const name of tablesIn(cte.value)) names.add(name)
  }
  return needed
}

export function tablesIn(root: Node): Set<string> {
  const names = new Set<string>()
  for (const node of nodesOf(root)) if (node.type === 'BASE_TABLE') names.add(String(node.table_name))
  return names
}
