/**
 * Checks the texts of a query that are values of other types, `date '2026-02-30'`, as PostgreSQL does before it runs the query. The
 * meaning has made them calls of functions that read PostgreSQL's forms; those over constants alone are evaluated here.
 */
import { type Node, TreeProblem } from '../../../sql/tree.ts'
import { EngineProblem, type PlanEngine } from '../plan-engine.ts'
import { nodesOf, selectNode } from '../tree-nodes.ts'

/** Throws TreeProblem for a text that is no value of its type. */
export async function checkLiterals(engine: PlanEngine, meant: Node): Promise<void> {
  const calls = [...nodesOf(meant)].filter((node) => isReadOfText(node) || isCastOfText(node))
  if (calls.length === 0 || (await isFine(engine, calls))) return
  for (const call of calls) {
    const reason = await reasonOf(engine, [call])
    if (reason !== undefined) throw new TreeProblem(reason, call)
  }
}

function isReadOfText(node: Node): boolean {
  if (node.class !== 'FUNCTION' || !String(node.function_name).startsWith('postgres_')) return false
  const children = node.children as readonly Node[]
  return children.some(isText) && children.every((child) => child.class === 'CONSTANT')
}

/** A function gives a text that DuckDB reads as a date. */
function isCastOfText({ class: kind, child }: Node): boolean {
  return kind === 'CAST' && isReadOfText(child as Node)
}

function isText({ value }: Node): boolean {
  const constant = value as
    | { readonly type?: { readonly id?: string }; readonly is_null?: boolean }
    | undefined
  return constant?.type?.id === 'VARCHAR' && constant.is_null !== true
}

async function isFine(engine: PlanEngine, calls: readonly Node[]): Promise<boolean> {
  return (await reasonOf(engine, calls)) === undefined
}

const NOTHING: Node = { type: 'EMPTY', alias: '', sample: null }

async function reasonOf(engine: PlanEngine, calls: readonly Node[]): Promise<string | undefined> {
  const list = calls.map((call) => ({ ...call, alias: '' }))
  try {
    await engine.evaluate(await engine.print(selectNode({ list, from: NOTHING })))
    return undefined
  } catch (error) {
    if (error instanceof EngineProblem) return error.message
    throw error
  }
}
