/** Reads the texts of flags and environment variables. Each function throws ConfigError if a text has another form. */

/** The message is one sentence for the terminal. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export interface Setting {
  readonly flag: string
  readonly variable: string
  readonly value: string
  readonly fallback: string
  readonly about: string
}

/** `source` is the flag or variable that was given; empty if the text is the default. */
export interface Given {
  readonly text: string
  readonly source: string
}

export function wholeNumber({ text, source }: Given, least: number, most: number): number {
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least && number <= most)) {
    throw new ConfigError(`${source} is '${text}'; use a whole number from ${least} to ${most}`)
  }
  return number
}

export function nonEmpty({ text, source }: Given): string {
  if (text.trim() === '') throw new ConfigError(`${source} is empty; name one or leave it out`)
  return text
}

/** Without a slash at the end. Undefined if the text is empty. */
export function url({ text, source }: Given): string | undefined {
  if (text === '') return undefined
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  const plain =
    parsed !== undefined && `${parsed.username}${parsed.password}${parsed.search}${parsed.hash}` === ''
  if (!plain || !/^https?:$/.test(parsed.protocol)) {
    throw new ConfigError(`${source} is '${text}'; use a URL such as https://streams.example.org`)
  }
  return parsed.href.replace(/\/$/, '')
}

/** Undefined if the setting was not given. */
export function optional({ text, source }: Given): string | undefined {
  return source === '' ? undefined : nonEmpty({ text, source })
}
