/**
 * A body as YAML 1.2 with the tags of its core schema, as the JSON value that it stands for. Keys are texts: those of other scalars are
 * their text. Refused are several documents, other tags, duplicate keys, and what JSON lacks.
 *
 * Aliases are expanded. A short body could make a value of any size with them, so all that they add is counted.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { Json } from '../../deployments/resources.ts'
import type { ServiceError } from '../../service-error.ts'
import { malformedBody, tooDeep, utf8Text } from './json-body.ts'

/** Nodes that all aliases of a body together may add. */
const EXPANDED_NODES_MAX = 10_000
/** Characters that they may add: as many as a body may have by default. */
const EXPANDED_CHARACTERS_MAX = 1024 * 1024

const CORE_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
)

/** Throws ServiceError 'malformed_body'. */
export function parseYamlBody(body: Uint8Array, depthMax: number): Json {
  const text = utf8Text(body)
  const lines = new LineCounter()
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return ` at line ${line}, column ${col}`
  }
  const document = parsed(text, lines, depthMax)
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined)
    throw malformedBody(`the body is no YAML: ${problem.message}${at(problem.pos[0])}`)
  const { yaml } = document.directives ?? {}
  if (yaml?.explicit === true && yaml.version !== '1.2')
    throw malformedBody(`the body is YAML ${yaml.version}; send YAML 1.2`)
  return new Expansion(depthMax, at).valueOf(document.contents, 0).value
}

function parsed(text: string, lines: LineCounter, depthMax: number) {
  try {
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      uniqueKeys: false, // checked below, in linear time
      prettyErrors: false,
      logLevel: 'error', // with 'silent' further documents would be no error
      lineCounter: lines,
    })
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(depthMax) // the stack of the parser is the limit
    throw malformedBody(`the body is no YAML: ${error instanceof Error ? error.message : error}`, error)
  }
}

/** A value with what it has, expanded aliases included. */
interface Measured {
  readonly value: Json
  readonly nodes: number
  readonly characters: number
  readonly levels: number
}

class Expansion {
  readonly #depthMax: number
  readonly #at: (offset: number) => string
  /** By anchor; undefined while its node is being read. The last one of a name counts. */
  readonly #anchors = new Map<string, Measured | undefined>()
  #nodes = 0
  #characters = 0

  constructor(depthMax: number, at: (offset: number) => string) {
    this.#depthMax = depthMax
    this.#at = at
  }

  valueOf(node: unknown, depth: number): Measured {
    if (node === null || node === undefined) return NOTHING
    if (isAlias(node)) return this.#expanded(node.source, node, depth)
    if (!isScalar(node) && !isMap(node) && !isSeq(node))
      throw this.#refusal(node as Node, 'a node of another kind')
    const { tag, anchor } = node
    if (tag !== undefined && !CORE_TAGS.has(tag))
      throw this.#refusal(
        node,
        `the tag ${tag.slice(0, SHOWN_CHARACTERS_MAX)}; only those of the core schema are taken`,
      )
    if (anchor !== undefined) this.#anchors.set(anchor, undefined)
    const measured = isScalar(node) ? this.#scalar(node) : this.#collection(node, depth)
    if (anchor !== undefined) this.#anchors.set(anchor, measured)
    return measured
  }

  #expanded(anchor: string, node: Node, depth: number): Measured {
    if (!this.#anchors.has(anchor))
      throw this.#refusal(node, `the alias *${shown(anchor)}, whose anchor is not before it`)
    const measured = this.#anchors.get(anchor)
    if (measured === undefined)
      throw this.#refusal(node, `the alias *${shown(anchor)} within the node of its anchor`)
    if (depth + measured.levels > this.#depthMax) throw tooDeep(this.#depthMax)
    this.#nodes += measured.nodes
    this.#characters += measured.characters
    if (this.#nodes > EXPANDED_NODES_MAX || this.#characters > EXPANDED_CHARACTERS_MAX)
      throw malformedBody(
        `the aliases of the body stand for more than ${EXPANDED_NODES_MAX} nodes or ${EXPANDED_CHARACTERS_MAX} characters; write out less with them`,
      )
    return measured
  }

  #scalar(node: { readonly value: unknown } & Pick<Node, 'range'>): Measured {
    const { value } = node
    if (typeof value === 'string') return { value, nodes: 1, characters: value.length, levels: 0 }
    if (value === null || typeof value === 'boolean') return { value, nodes: 1, characters: 1, levels: 0 }
    if (typeof value === 'number' && Number.isFinite(value))
      return { value: Object.is(value, -0) ? 0 : value, nodes: 1, characters: 1, levels: 0 }
    throw this.#refusal(node, 'a scalar that JSON lacks')
  }

  #collection(node: { readonly items: readonly unknown[] } & Pick<Node, 'range'>, depth: number): Measured {
    if (depth >= this.#depthMax) throw tooDeep(this.#depthMax)
    let [nodes, characters, levels] = [1, 1, 1]
    const add = (node: unknown): Json => {
      const measured = this.valueOf(node, depth + 1)
      nodes += measured.nodes
      characters += measured.characters
      levels = Math.max(levels, measured.levels + 1)
      return measured.value
    }
    if (isSeq(node)) {
      const list = node.items.map(add)
      return { value: list, nodes, characters, levels }
    }
    const members: [string, Json][] = []
    const names = new Set<string>()
    for (const { key, value } of node.items as { key: unknown; value: unknown }[]) {
      const name = this.#keyOf(key, node)
      if (names.has(name)) throw this.#refusal((key as Node | null) ?? node, `the key ${shown(name)} twice`)
      names.add(name)
      characters += name.length
      members.push([name, add(value)])
    }
    return { value: Object.fromEntries(members), nodes, characters, levels }
  }

  #keyOf(key: unknown, map: Pick<Node, 'range'>): string {
    const isCollection = isMap(key) || isSeq(key)
    const value = isCollection ? undefined : this.valueOf(key, this.#depthMax).value
    if (isCollection || (typeof value === 'object' && value !== null))
      throw this.#refusal(map, 'a collection as a key')
    return isScalar(key) && typeof value !== 'string' ? (key.source ?? String(value)) : String(value)
  }

  #refusal(node: Pick<Node, 'range'>, what: string): ServiceError {
    const place = node.range == null ? '' : this.#at(node.range[0])
    return malformedBody(`the body has ${what}${place}`)
  }
}

const NOTHING: Measured = { value: null, nodes: 1, characters: 1, levels: 0 }
const SHOWN_CHARACTERS_MAX = 100

function shown(name: string): string {
  return name.length > SHOWN_CHARACTERS_MAX ? `${name.slice(0, SHOWN_CHARACTERS_MAX)}…` : name
}
