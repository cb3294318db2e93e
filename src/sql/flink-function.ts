/** What a function of Flink is here: its number of arguments, and how DuckDB runs it. */
import { as } from './flink-operators.ts'
import { type FlinkType, isNumber, isText, printFlinkType, STRING, type Typed } from './flink-types.ts'
import { call, constantOf, isConstant, type Node, TreeProblem } from './tree.ts'

export interface FlinkFunction {
  /** Fewest and most arguments. */
  readonly arity: readonly [number, number]
  /** The node and type that stand for the call. Arguments already have Flink's meaning. Throws TreeProblem. */
  readonly rewrite: (args: readonly Typed[], place: Node) => Typed
}

export type FlinkFunctions = Readonly<Record<string, FlinkFunction>>

/** A text argument; other types are refused, as Flink does. */
export function textOf(argument: Typed, place: Node): Node {
  if (isText(argument.type)) return argument.node
  if (argument.type.kind === 'NULL') return as(argument, STRING)
  throw new TreeProblem(`${printFlinkType(argument.type)} is no text; cast it to STRING`, place)
}

export function numberOf(argument: Typed, place: Node): Typed {
  if (argument.type.kind === 'NULL') return { node: as(argument, { kind: 'INT' }), type: { kind: 'INT' } }
  if (!isNumber(argument.type))
    throw new TreeProblem(`${printFlinkType(argument.type)} is no number; cast it`, place)
  return argument
}

/** A constant text, which the rewriting needs. */
export function constantText(argument: Typed, what: string, place: Node): string {
  const value = isConstant(argument.node) ? constantOf(argument.node) : undefined
  if (typeof value !== 'string')
    throw new TreeProblem(`the ${what} must be a text in single quotes here`, place)
  return value
}

export function constantInteger(argument: Typed, what: string, place: Node): number {
  const value = isConstant(argument.node) ? constantOf(argument.node) : undefined
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new TreeProblem(`the ${what} must be a whole number here`, place)
  return value
}

/** A function of texts with DuckDB's name that gives this type. */
export function ofTexts(name: string, arity: readonly [number, number], type: FlinkType): FlinkFunction {
  return {
    arity,
    rewrite: (args, place) => ({
      node: as({ node: call(name, ...args.map((arg) => textOf(arg, place))), type: { kind: 'NULL' } }, type),
      type,
    }),
  }
}
