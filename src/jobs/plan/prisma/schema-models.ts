/** The models of a Prisma schema: their tables, columns and keys. What has no meaning for a query is ignored. */
import type { DataType } from '../../../sql/data-types.ts'
import type { Place } from '../../../sql/sql-problem.ts'
import { isScalar, type NativeType, nativeType, type PrismaType } from './native-types.ts'
import { type Attribute, type Block, type Field, schemaBlocks, type Value } from './schema-blocks.ts'
import type { PlaceOfSpan, SchemaRefusal, SchemaToken } from './schema-tokens.ts'

export interface Model {
  readonly model: string
  readonly schema: string
  readonly table: string
  readonly fields: readonly ModelField[]
  /** Names of columns. */
  readonly key: readonly string[]
}

export interface ModelField {
  readonly field: string
  readonly column: string
  readonly type: PrismaType
  /** As in the schema, for messages: `Decimal`, `String[]`. */
  readonly shown: string
  readonly isList: boolean
  readonly isOptional: boolean
  /** As format_type() prints it, without `[]`. */
  readonly databaseType: string
  /** Of the column. */
  readonly dataType: DataType
  /** `Unsupported("tsvector")`, with the place of the field: a query may not use it. */
  readonly unsupported: { readonly type: string; readonly place: Place } | undefined
}

/** A field, with its name in the text. */
type ReadField = ModelField & { readonly name: SchemaToken }

const SCHEMA = 'public'
/** Columns of a table of PostgreSQL. */
const COLUMNS_MAX = 1_600

/** Throws QueryProblem 'invalid_schema'. */
export function schemaModels(text: string): readonly Model[] {
  const { blocks, refuse, placeOf } = schemaBlocks(text)
  checkNames(blocks, refuse)
  checkProvider(blocks, refuse)
  const reader = new ModelReader(blocks, refuse, placeOf)
  const models = blocks.filter(({ kind }) => kind === 'model').flatMap((block) => reader.model(block))
  checkTables(models, blocks, refuse)
  return models
}

function checkNames(blocks: readonly Block[], refuse: SchemaRefusal): void {
  const seen = new Set<string>()
  for (const { kind, name, fields } of blocks) {
    const isType = kind !== 'datasource' && kind !== 'generator'
    if (isType && seen.has(name.text)) throw refuse(`${kind} ${name.text} is defined twice`, name)
    if (isType) seen.add(name.text)
    const own = new Set<string>()
    for (const field of fields) {
      if (own.has(field.name.text))
        throw refuse(`${kind} ${name.text} has two fields ${field.name.text}`, field.name)
      own.add(field.name.text)
    }
  }
}

function checkProvider(blocks: readonly Block[], refuse: SchemaRefusal): void {
  for (const { kind, name, assignments } of blocks) {
    if (kind !== 'datasource') continue
    const provider = assignments.get('provider')
    if (provider === undefined)
      throw refuse(`datasource ${name.text} has no provider; write provider = "postgresql"`, name)
    const { value } = provider
    if (value.kind === 'text' && (value.value === 'postgresql' || value.value === 'postgres')) continue
    const got = value.kind === 'text' ? `"${value.value}"` : 'no text'
    throw refuse(`provider is ${got}; only "postgresql" is supported`, provider.name)
  }
}

function checkTables(models: readonly Model[], blocks: readonly Block[], refuse: SchemaRefusal): void {
  const seen = new Map<string, string>()
  for (const { model, schema, table } of models) {
    const name = `${schema}.${table}`
    const other = seen.get(name)
    if (other !== undefined) {
      const block = blocks.find((one) => one.kind === 'model' && one.name.text === model)!
      throw refuse(`models ${other} and ${model} have one table, ${name}`, block.name)
    }
    seen.set(name, model)
  }
}

class ModelReader {
  readonly #types: ReadonlyMap<string, Block>
  readonly #refuse: SchemaRefusal
  readonly #placeOf: PlaceOfSpan

  constructor(blocks: readonly Block[], refuse: SchemaRefusal, placeOf: PlaceOfSpan) {
    this.#types = new Map(
      blocks
        .filter(({ kind }) => kind !== 'datasource' && kind !== 'generator')
        .map((block) => [block.name.text, block]),
    )
    this.#refuse = refuse
    this.#placeOf = placeOf
  }

  /** None for one with `@@ignore`. */
  model(block: Block): Model[] {
    if (block.attributes.some(({ name }) => name === 'ignore')) return []
    const fields = block.fields.flatMap((field) => this.#field(block, field))
    const columns = new Set<string>()
    for (const { column, name } of fields) {
      if (columns.size === COLUMNS_MAX) {
        const reason = `model ${block.name.text} has more than ${COLUMNS_MAX} columns, as many as a table may have`
        throw this.#refuse(reason, name)
      }
      if (columns.has(column))
        throw this.#refuse(`model ${block.name.text} has two fields of column ${column}`, name)
      columns.add(column)
    }
    return [
      {
        model: block.name.text,
        schema: this.#text(attribute(block.attributes, 'schema')) ?? SCHEMA,
        table: this.#text(attribute(block.attributes, 'map')) ?? block.name.text,
        fields: fields.map(({ name: _, ...field }) => field),
        key: this.#key(block, fields),
      },
    ]
  }

  /** None for a relation and for a field with `@ignore`. */
  #field(block: Block, { name, type, attributes }: Field): ReadField[] {
    if (type === undefined || attribute(attributes, 'ignore') !== undefined) return []
    const common = {
      field: name.text,
      column: this.#text(attribute(attributes, 'map')) ?? name.text,
      shown: `${type.name.text}${type.isList ? '[]' : ''}`,
      isList: type.isList,
      isOptional: type.isOptional,
      unsupported:
        type.unsupported === undefined ? undefined : { type: type.unsupported, place: this.#placeOf(name) },
      name,
    }
    const made = (prisma: PrismaType, native: NativeType): ReadField[] => [
      {
        ...common,
        type: prisma,
        databaseType: native.databaseType,
        dataType: type.isList ? { kind: 'ARRAY', element: native.type } : native.type,
      },
    ]
    if (type.unsupported !== undefined)
      return made('String', { databaseType: 'text', type: { kind: 'STRING' } })
    if (isScalar(type.name.text))
      return made(type.name.text, this.#native(block, name, type.name.text, attributes))
    const named = this.#types.get(type.name.text)
    if (named?.kind === 'model' || named?.kind === 'view') return []
    if (named?.kind === 'enum') {
      const databaseType = this.#text(attribute(named.attributes, 'map')) ?? named.name.text
      return made('enum', { databaseType, type: { kind: 'STRING' } })
    }
    throw this.#refuse(
      `model ${block.name.text}, field ${name.text}: type ${type.name.text} is not known`,
      type.name,
    )
  }

  #native(
    block: Block,
    name: SchemaToken,
    type: Exclude<PrismaType, 'enum'>,
    attributes: readonly Attribute[],
  ): NativeType {
    const written = attributes.find((one) => one.name.startsWith('db.'))
    const modifiers = (written?.args ?? []).map(({ value }) =>
      value.kind === 'number' ? Number(value.value) : Number.NaN,
    )
    const native = nativeType(type, written?.name.slice('db.'.length), modifiers)
    const isWhole = modifiers.every((one) => Number.isInteger(one) && one >= 0 && one <= MODIFIER_MAX)
    if (native !== undefined && isWhole) return native
    throw this.#refuse(
      `model ${block.name.text}, field ${name.text}: @${written!.name} is not a type of ${type} on PostgreSQL`,
      written!,
    )
  }

  /** `@id`, `@@id`, else the first `@unique` or `@@unique` without NULL. */
  #key(block: Block, fields: readonly ModelField[]): readonly string[] {
    const single = (name: string) =>
      block.fields
        .filter(({ attributes }) => attribute(attributes, name) !== undefined)
        .map((field) => [field.name.text])
    const several = (name: string) =>
      block.attributes.filter((one) => one.name === name).map((one) => this.#fieldNames(block, one))
    const columnsOf = (names: readonly string[], mayBeNull: boolean) => {
      const found = names.map((name) => fields.find(({ field }) => field === name))
      if (found.some((field) => field === undefined || (!mayBeNull && field.isOptional))) return undefined
      return found.map((field) => field!.column)
    }
    for (const names of [...single('id'), ...several('id')]) {
      const columns = columnsOf(names, true)
      if (columns !== undefined) return columns
    }
    for (const names of [...single('unique'), ...several('unique')]) {
      const columns = columnsOf(names, false)
      if (columns !== undefined) return columns
    }
    throw this.#refuse(`model ${block.name.text} has no key; add @id or @@id`, block.name)
  }

  #fieldNames(block: Block, { args, name, ...at }: Attribute): readonly string[] {
    const list = args.find((one) => one.name === 'fields' || one.name === undefined)?.value
    const names = list?.kind === 'list' ? list.values.map(nameOf) : []
    if (names.length === 0) throw this.#refuse(`@@${name} needs a list of fields: @@${name}([a, b])`, at)
    for (const one of names) {
      if (!block.fields.some((field) => field.name.text === one))
        throw this.#refuse(
          `@@${name} of model ${block.name.text} names field ${one}, which it does not have`,
          at,
        )
    }
    return names
  }

  #text(found: Attribute | undefined): string | undefined {
    if (found === undefined) return undefined
    const value = found.args.find(({ name }) => name === 'name' || name === undefined)?.value
    if (value?.kind === 'text' && value.value !== '') return value.value
    throw this.#refuse(`@${found.name} needs a name in double quotes`, found)
  }
}

const MODIFIER_MAX = 10_485_760

function attribute(attributes: readonly Attribute[], name: string): Attribute | undefined {
  return attributes.find((one) => one.name === name)
}

/** `title(sort: Desc)` is title. */
function nameOf(value: Value): string {
  return value.kind === 'list' ? '' : value.value
}
