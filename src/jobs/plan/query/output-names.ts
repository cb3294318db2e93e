/** The name that PostgreSQL gives a column of a result without an alias. */
import type { Expression } from './syntax.ts'

export const UNNAMED = '?column?'

/** `label`: of a reference to a column, which a model may have under another name. */
export function outputName(expression: Expression, label: string | undefined): string {
  return named(expression, label)?.name ?? UNNAMED
}

interface Named {
  readonly name: string
  /** That of a type or of CASE, which the name of the operand replaces. */
  readonly isWeak: boolean
}

const strong = (name: string): Named => ({ name, isWeak: false })

function named(e: Expression, label: string | undefined): Named | undefined {
  switch (e.kind) {
    case 'column':
      return strong(label ?? e.names.at(-1)!.value)
    case 'call':
      return strong(e.names.at(-1)!.value)
    case 'cast': {
      const inner = named(e.of, label)
      return inner !== undefined && !inner.isWeak ? inner : { name: e.type.internal, isWeak: true }
    }
    case 'case': {
      const inner = e.otherwise === undefined ? undefined : named(e.otherwise, undefined)
      return inner !== undefined && !inner.isWeak ? inner : { name: 'case', isWeak: true }
    }
    case 'exists':
      return strong('exists')
    case 'scalar': {
      const { body } = e.query
      let first = body
      while (first.kind === 'set') first = first.left.body
      const item = first.items[0]
      if (item === undefined) return undefined
      if (item.alias !== undefined) return strong(item.alias.value)
      return strong(outputName(item.of, undefined))
    }
    default:
      return undefined
  }
}
