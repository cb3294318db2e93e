/**
 * The sources that the operator declares with `--sources FILE`, so that clients need neither addresses nor passwords:
 *
 *   {"demo-kafka": {"kind": "stream"},
 *    "demo-postgresql": {"kind": "postgres", "connection_uri": "postgres://…"},
 *    "events": {"kind": "kafka", "bootstrap_servers": "h:9092", "security_protocol": …}}
 *
 * The file is read at start. Problems name the member and never its value.
 */
import { readFileSync } from 'node:fs'
import type { Access, IntegrationKind } from './table.ts'
import { accessOf, checkedConfig } from './user-config.ts'

export interface Source {
  readonly kind: IntegrationKind
  readonly access: Access
}

export type Sources = ReadonlyMap<string, Source>

/** The message is one sentence for the terminal. */
export class SourcesProblem extends Error {
  override readonly name = 'SourcesProblem'
}

const KINDS = ['stream', 'kafka', 'postgres'] as const
/** As a service name of Aiven, and longer. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/

/** Throws SourcesProblem. */
export function readSources(path: string): Sources {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new SourcesProblem(`--sources ${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
  return parseSources(path, text)
}

/** Throws SourcesProblem. */
export function parseSources(path: string, text: string): Sources {
  const document = parseJson(path, text)
  if (!isObject(document))
    throw new SourcesProblem(`--sources ${path} is not a JSON object of sources by name`)
  return new Map(Object.entries(document).map(([name, source]) => [name, parseSource(path, name, source)]))
}

function parseSource(path: string, name: string, source: unknown): Source {
  const refuse = (reason: string) =>
    new SourcesProblem(`--sources ${path}: ${JSON.stringify(name)} ${reason}`)
  if (!NAME.test(name)) throw refuse("is no name; use letters, digits, '.', _ and -")
  if (!isObject(source)) throw refuse('is not a JSON object with a member kind')
  const { kind: given, ...config } = source
  const kind = KINDS.find((one) => one === given)
  if (kind === undefined)
    throw refuse(`has kind ${JSON.stringify(given) ?? 'missing'}; use ${KINDS.join(', ')}`)
  if (kind === 'stream') {
    const [unknown] = Object.keys(config)
    if (unknown !== undefined)
      throw refuse(`has unknown member ${JSON.stringify(unknown)}; kind stream has none`)
    return { kind, access: { kind } }
  }
  const needed = kind === 'kafka' ? 'bootstrap_servers' : 'connection_uri'
  if (config[needed] === undefined) throw refuse(`has no ${needed}`)
  try {
    return { kind, access: accessOf(kind, checkedConfig(kind, config), true) }
  } catch (error) {
    throw refuse(`is refused: ${messageOf(error).replaceAll('user_config.', '')}`)
  }
}

/** The reason of the parser may repeat a part of the file, and so a password. */
function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const at = /position \d+/.exec(messageOf(cause))?.[0]
    throw new SourcesProblem(`--sources ${path} is not JSON${at === undefined ? '' : ` (${at})`}`)
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
