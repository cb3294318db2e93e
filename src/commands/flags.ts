/** Flags of a command: `--name value` and `--switch`, nothing else. */
import { parseArgs } from 'node:util'
import { UsageError } from './command.ts'

export class Flags {
  readonly #values: Readonly<Record<string, string | boolean | undefined>>

  private constructor(values: Readonly<Record<string, string | boolean | undefined>>) {
    this.#values = values
  }

  /** Throws UsageError. */
  static parse(
    args: readonly string[],
    { valued, switches = [] }: { readonly valued: readonly string[]; readonly switches?: readonly string[] },
  ): Flags {
    const options = Object.fromEntries([
      ...valued.map((name) => [name, { type: 'string' }] as const),
      ...switches.map((name) => [name, { type: 'boolean' }] as const),
    ])
    try {
      const { values } = parseArgs({ args: [...args], strict: true, options })
      return new Flags(values as Record<string, string | boolean | undefined>)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new UsageError(`${reason.replaceAll('\n', ' ')} (--help lists the flags)`, { cause })
    }
  }

  /** Throws UsageError if it is not there, or empty. */
  required(name: string, what: string): string {
    const value = this.optional(name)
    if (value === undefined) throw new UsageError(`--${name} is missing; name ${what}`)
    return value
  }

  /** Throws UsageError if it is empty. */
  optional(name: string): string | undefined {
    const value = this.#values[name]
    if (typeof value !== 'string') return undefined
    if (value.trim() === '') throw new UsageError(`--${name} is empty`)
    return value
  }

  has(name: string): boolean {
    return this.#values[name] === true
  }
}
