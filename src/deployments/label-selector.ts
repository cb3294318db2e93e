/**
 * Label selectors: which labels a resource has to have.
 *
 *   selector:     requirement *( ',' requirement )
 *   requirement:  key | '!' key | key ('=' | '==' | '!=') value | key ('in' | 'notin') '(' value *( ',' value ) ')'
 *   key, value:   characters other than white space and , ( ) = !; a value may be empty
 *
 * A key that is missing fits `!=` and `notin`.
 */
import { DeploymentError } from './deployment-error.ts'

export type LabelSelector = (labels: Readonly<Record<string, string>>) => boolean

const SHOWN_CHARACTERS_MAX = 200
/** Every resource of a namespace is compared with each of them. */
const REQUIREMENTS_MAX = 100
const TOKEN = /\s*(==|!=|[=!,()]|[^\s,()=!]+)/y

/** Throws DeploymentError 'InvalidLabelSelector'. Nothing but white space selects everything. */
export function parseLabelSelector(text: string): LabelSelector {
  if (text.trim() === '') return () => true
  const reader = new Reader(text)
  const requirements = [reader.requirement()]
  while (reader.takes(',')) requirements.push(reader.requirement())
  if (reader.next !== undefined) throw reader.refusal("',' or the end")
  if (requirements.length > REQUIREMENTS_MAX)
    throw new DeploymentError(
      'InvalidLabelSelector',
      `labelSelector has ${requirements.length} requirements; use at most ${REQUIREMENTS_MAX}`,
    )
  return (labels) => requirements.every((fits) => fits(labels))
}

class Reader {
  readonly #text: string
  readonly #tokens: readonly { readonly text: string; readonly at: number }[]
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokensOf(text)
  }

  get next(): string | undefined {
    return this.#tokens[this.#at]?.text
  }

  takes(token: string): boolean {
    if (this.next !== token) return false
    this.#at++
    return true
  }

  requirement(): LabelSelector {
    if (this.takes('!')) {
      const absent = this.#word('a key')
      return (labels) => labelOf(labels, absent) === undefined
    }
    const key = this.#word('a key')
    if (this.takes('=') || this.takes('==')) {
      const value = this.#value()
      return (labels) => labelOf(labels, key) === value
    }
    if (this.takes('!=')) {
      const value = this.#value()
      return (labels) => labelOf(labels, key) !== value
    }
    const isIn = this.takes('in')
    if (isIn || this.takes('notin')) {
      const values = this.#values()
      return (labels) => values.has(labelOf(labels, key)) === isIn
    }
    if (this.next === undefined || this.next === ',') return (labels) => labelOf(labels, key) !== undefined
    throw this.refusal("one of =, ==, !=, in, notin, ',' or the end")
  }

  refusal(wanted: string): DeploymentError {
    const token = this.#tokens[this.#at]
    const got = token === undefined ? 'ends' : `has '${shortened(token.text)}'`
    const place = `column ${(token?.at ?? this.#text.length) + 1}`
    return new DeploymentError(
      'InvalidLabelSelector',
      `labelSelector '${shortened(this.#text)}' ${got} at ${place}; use ${wanted} there`,
    )
  }

  #values(): ReadonlySet<string | undefined> {
    if (!this.takes('(')) throw this.refusal("'('")
    const values = new Set<string | undefined>([this.#value()])
    while (this.takes(',')) values.add(this.#value())
    if (!this.takes(')')) throw this.refusal("',' or ')'")
    return values
  }

  /** The empty one, where a value is missing. */
  #value(): string {
    const { next } = this
    if (next === undefined || next === ',' || next === ')') return ''
    return this.#word('a value')
  }

  #word(wanted: string): string {
    const { next } = this
    if (next === undefined || /^[=!,()]/.test(next)) throw this.refusal(wanted)
    this.#at++
    return next
  }
}

function tokensOf(text: string): { text: string; at: number }[] {
  const tokens: { text: string; at: number }[] = []
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text))
    tokens.push({ text: match[1]!, at: TOKEN.lastIndex - match[1]!.length })
  return tokens
}

function labelOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

function shortened(text: string): string {
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}
