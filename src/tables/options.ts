/** The options of a connector as a client sent them: taken one by one, so that those left over are unknown. */
import { invalid, shown } from './refusal.ts'

/** How an error text names a member of a connector. */
export type OptionNaming = (member: string) => string

export class Options {
  /** `kafka.topic`, or as the client knows the member. */
  readonly named: OptionNaming
  readonly #values: Map<string, unknown>

  /** A member that is null counts as absent. */
  constructor(named: OptionNaming, values: Readonly<Record<string, unknown>>) {
    this.named = named
    const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined)
    this.#values = new Map(given)
  }

  take(name: string): unknown {
    const value = this.#values.get(name)
    this.#values.delete(name)
    return value
  }

  /** Throws ServiceError 'invalid_table', as all others below. */
  text(name: string): string | undefined {
    const value = this.take(name)
    if (value === undefined || typeof value === 'string') return value
    throw this.wrong(name, value, 'a text')
  }

  requiredText(name: string): string {
    const value = this.text(name)
    if (value === undefined) throw invalid(`${this.named(name)} is missing`)
    if (value === '') throw this.wrong(name, value, 'a text that is not empty')
    return value
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined || values.includes(value as T)) return value as T | undefined
    throw this.wrong(name, value, values.join(', '))
  }

  wholeNumber(name: string, least: number, most: number): number | undefined {
    const value = this.take(name)
    if (value === undefined) return undefined
    const number = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value
    if (Number.isSafeInteger(number) && (number as number) >= least && (number as number) <= most) {
      return number as number
    }
    throw this.wrong(name, value, `a whole number from ${least} to ${most}`)
  }

  texts(name: string): readonly string[] {
    const value = this.take(name) ?? []
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
    throw this.wrong(name, value, 'a list of texts')
  }

  assertAllTaken(): void {
    const [left] = this.#values.keys()
    if (left !== undefined) throw invalid(`unknown field ${shown(this.named(left))}`)
  }

  wrong(name: string, value: unknown, wanted: string): Error {
    return invalid(`${this.named(name)} is ${shown(value)}; use ${wanted}`)
  }
}
