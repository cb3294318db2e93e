/**
 * Secrets among the options of WITH: passwords, tokens, private keys, and the passwords inside of addresses. They are shown as `***`. A
 * reference such as `${secret_values.name}` is no secret: it is text, and is replaced when a job starts.
 */
import type { OptionTexts } from './option-names.ts'
import { invalid } from './refusal.ts'
import { HIDDEN } from './user-config.ts'

const SECRET_NAME = /password|passwd|secret|token|api-?key|credential|auth-params|basic\.auth|keystore\.key$/i
const REFERENCE = /^\$\{[^{}]+\}$/
/** `password="…"` of a JAAS configuration, with escaped quotes inside. */
const JAAS_SECRET =
  /((?:password|secret|token|key)[A-Za-z]*\s*=\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s;"']+)/gi
const URL_USER = /^((?:jdbc:)?[a-z]+:\/\/)([^/?#]*)@/i
/** Of an address that cannot be read: everything before the last `@` may be a password. */
const BROKEN_URL_USER = /^((?:jdbc:)?[a-z]+:\/\/)(.*)@/is
const URL_PARAMETER = /([?&;](?:[^=&;]*(?:password|secret|token|key)[^=&;]*)=)([^&;#]*)/gi

/** The value as it may be shown. Equal to the value if there is no secret in it. */
export function shownValue(name: string, value: string): string {
  if (/jaas\.config$/i.test(name))
    return value.replace(JAAS_SECRET, (_, key, text) => key + hiddenQuoted(text))
  if (SECRET_NAME.test(name)) return hidden(value)
  if (!value.includes('://')) return value
  const user = URL_USER.test(value) ? URL_USER : BROKEN_URL_USER
  return value.replace(user, hiddenUser).replace(URL_PARAMETER, (_, key, text) => key + hidden(text))
}

export function shownOptions(options: OptionTexts): OptionTexts {
  return mapped(options, shownValue)
}

/** The options whose values are not what is shown of them. */
export function secretsOf(options: OptionTexts): OptionTexts {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => shownValue(name, value) !== value),
  )
}

/**
 * The options with their secrets: a value that is shown hidden stands for the secret that is known by its name. Throws ServiceError
 * 'invalid_table' if there is none.
 */
export function withSecrets(options: OptionTexts, known: OptionTexts = {}): OptionTexts {
  return mapped(options, (name, value) => {
    if (!isHidden(name, value)) return value
    const secret = Object.hasOwn(known, name) ? known[name] : undefined
    if (secret !== undefined && shownValue(name, secret) === value) return secret
    throw invalid(
      `option '${name}' has ${HIDDEN}, which stands for a secret; write the secret, or \${secret_values.NAME}`,
    )
  })
}

/** Whether a secret was hidden in the value: another text in its place would be hidden. */
function isHidden(name: string, value: string): boolean {
  const other = value.replaceAll(HIDDEN, 'x')
  return other !== value && shownValue(name, other) === value
}

function hidden(value: string): string {
  return value === '' || REFERENCE.test(value) ? value : HIDDEN
}

function hiddenQuoted(text: string): string {
  const quote = /^["']/.exec(text)?.[0] ?? ''
  return quote + hidden(quote === '' ? text : text.slice(1, -1)) + quote
}

/** `user:password@` of an address. */
function hiddenUser(_: string, scheme: string, user: string): string {
  const colon = user.indexOf(':')
  return colon === -1
    ? `${scheme}${user}@`
    : `${scheme}${user.slice(0, colon)}:${hidden(user.slice(colon + 1))}@`
}

function mapped(options: OptionTexts, change: (name: string, value: string) => string): OptionTexts {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, change(name, value)]))
}
