/**
 * Converts data of a writer's schema to values of the reader's schema by Avro's rules of resolution. The steps are
 * computed once per schema and executed for every datum (avro-reader.ts).
 *
 *   int -> long, float, double    long -> float, double    float -> double    string <-> bytes
 *   record    field by field, by name, else by an alias of the reader's field; a field that was not written has its default
 *   enum      by symbol; a symbol that the reader does not have becomes the reader's default. Names have to match
 *   fixed     names and sizes have to match
 *   union     of the writer: the branch that the datum has; of the reader: the first member with the same type, else the
 *             first that the value can be converted to. Of several records, the one of the same name, else the first for
 *             which all fields have a value.
 *   names     match in full, or without their namespaces, or by an alias of the reader's type. Names of records matter
 *             only for the choice in a union, as in Avro for Java
 *   decimal   if both types are decimals, their scales have to match
 *
 * Beyond Avro: a field that was not written and has no default is null if its type allows null, an enum can be read as
 * a string, and a fixed as bytes.
 *
 * A pair of types that does not resolve becomes a step that fails when the reader executes it.
 *
 * Indexes are asserted with `!`: they are indexes of the reader's fields, which each array here has in the same order.
 */
import {
  type AvroField,
  type AvroName,
  type AvroType,
  type EnumType,
  fullName,
  type NamedType,
  type PrimitiveName,
  type RecordType,
  type UnionType,
} from '../schemas/avro-schema.ts'
import { defaultOf, isNullable, takesNull } from './avro-default.ts'
import { type Convert, conversion, logicalOf } from './avro-logical.ts'
import type { Value } from './record-reader.ts'

export type Step =
  | { readonly op: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string' | 'bytes' }
  /** Converts a whole number to a float or double. */
  | { readonly op: 'toFloat' | 'toDouble' }
  | { readonly op: 'fixed'; readonly size: number }
  /** Indexed by the writer's symbols; undefined for a symbol that the reader does not have. */
  | {
      readonly op: 'enum'
      readonly symbols: readonly (string | undefined)[]
      readonly written: readonly string[]
      readonly path: string
    }
  | { readonly op: 'array' | 'map'; readonly items: Step }
  | { readonly op: 'union'; readonly branches: readonly Step[] }
  /** A value of a logical type, converted from its underlying type. */
  | { readonly op: 'logical'; readonly base: Step; readonly convert: Convert }
  | RecordStep
  | FailStep

export interface FailStep {
  readonly op: 'fail'
  readonly reason: string
}

/** Mutable while its fields are resolved, because they may refer to the record itself. */
export interface RecordStep {
  readonly op: 'record'
  /** The names of the reader's fields, by their index there. */
  readonly names: readonly string[]
  /** In the writer's order. */
  reads: readonly FieldRead[]
  /** Fields that the writer's schema does not have, with their defaults or null. */
  absent: readonly AbsentField[]
  /** The number of values that the defaults contain. */
  absentWeight: number
  /** Fields that the writer's schema does not have and that can have no value, with the reason. */
  missing: readonly { readonly field: number; readonly reason: string }[]
}

export interface FieldRead {
  /** The index of the reader's field, or -1 if the bytes are skipped. */
  readonly field: number
  readonly step: Step | undefined
  readonly skip: AvroType
}

export interface AbsentField {
  readonly field: number
  readonly value: Value
}

/** The most types and fields that are compared. Two schemas of thousands of records have millions of pairs. */
export const RESOLUTION_STEPS_MAX = 200_000

/** Resolves a whole datum, of a record or a union of records, for some of the fields. */
export function resolveDatum(writer: AvroType, fields: readonly AvroField[]): Step {
  const resolver = new Resolver()
  const resolveRecord = (type: AvroType): Step =>
    type.kind === 'record'
      ? resolver.fields(type, fields)
      : { op: 'fail', reason: `the event was written as ${describe(type)}, which is not a record` }
  const step: Step =
    writer.kind === 'union'
      ? { op: 'union', branches: writer.branches.map(resolveRecord) }
      : resolveRecord(writer)
  return resolver.isExhausted ? EXHAUSTED : step
}

const EXHAUSTED: FailStep = {
  op: 'fail',
  reason: `the schema of the event and that of the format take more than ${RESOLUTION_STEPS_MAX} steps to compare`,
}

type Single = Exclude<AvroType, UnionType>

class Resolver {
  readonly #records = new Map<RecordType, Map<RecordType, RecordStep>>()
  #stepsLeft = RESOLUTION_STEPS_MAX

  get isExhausted(): boolean {
    return this.#stepsLeft < 0
  }

  fields(writer: RecordType, fields: readonly AvroField[]): RecordStep {
    return this.#fill(newRecord(fields), writer, fields, '', false)
  }

  /** `nested`: within an array, a map, a record, or a union that is not just a type and null. */
  #resolve(writer: AvroType, reader: AvroType, path: string, nested: boolean): Step {
    if (--this.#stepsLeft < 0) return EXHAUSTED
    if (writer.kind === 'union') {
      return {
        op: 'union',
        branches: writer.branches.map((branch) => this.#resolve(branch, reader, path, nested)),
      }
    }
    if (reader.kind === 'union') {
      this.#stepsLeft -= reader.branches.length
      const member = this.#memberFor(writer, reader.branches as readonly Single[])
      return member === undefined
        ? mismatch(writer, reader, path)
        : this.#resolve(writer, member, path, nested || !isNullable(reader))
    }
    return withMeaning(this.#underlying(writer, reader, path), writer, reader, path, nested)
  }

  #underlying(writer: Single, reader: Single, path: string): Step {
    switch (writer.kind) {
      case 'primitive':
        return primitiveStep(writer.primitive, reader) ?? mismatch(writer, reader, path)
      case 'enum':
        return takes(writer, reader) ? enumStep(writer, reader, path) : mismatch(writer, reader, path)
      case 'fixed':
        return takes(writer, reader) ? { op: 'fixed', size: writer.size } : mismatch(writer, reader, path)
      case 'array':
        if (reader.kind !== 'array') return mismatch(writer, reader, path)
        return { op: 'array', items: this.#resolve(writer.items, reader.items, path, true) }
      case 'map':
        if (reader.kind !== 'map') return mismatch(writer, reader, path)
        return { op: 'map', items: this.#resolve(writer.values, reader.values, path, true) }
      case 'record':
        return reader.kind === 'record' ? this.#record(writer, reader, path) : mismatch(writer, reader, path)
    }
  }

  #record(writer: RecordType, reader: RecordType, path: string): RecordStep {
    const readers = this.#records.get(writer) ?? new Map<RecordType, RecordStep>()
    this.#records.set(writer, readers)
    const known = readers.get(reader)
    if (known !== undefined) return known
    const step = newRecord(reader.fields)
    readers.set(reader, step)
    return this.#fill(step, writer, reader.fields, `${path}.`, true)
  }

  #fill(
    step: RecordStep,
    writer: RecordType,
    fields: readonly AvroField[],
    prefix: string,
    nested: boolean,
  ): RecordStep {
    this.#stepsLeft -= writer.fields.length + fields.length
    if (this.#stepsLeft < 0) return step
    const sources = sourcesOf(writer, fields)
    const indexes = new Map(sources.map((name, index) => [name, index]))
    step.reads = writer.fields
      .map(({ name, type }): FieldRead => {
        const field = indexes.get(name) ?? -1
        const read =
          field < 0
            ? undefined
            : this.#resolve(type, fields[field]!.type, `${prefix}${fields[field]!.name}`, nested)
        return { field, step: read, skip: type }
      })
      // Fields without bytes that are not requested need no step.
      .filter(({ field, skip }) => field >= 0 || skip.constantBytes !== 0)
    this.#fillAbsent(step, sources, fields, prefix, nested)
    return step
  }

  #fillAbsent(
    step: RecordStep,
    sources: readonly (string | undefined)[],
    fields: readonly AvroField[],
    prefix: string,
    nested: boolean,
  ): void {
    const absent: AbsentField[] = []
    const missing: { field: number; reason: string }[] = []
    for (const [field, source] of sources.entries()) {
      if (source !== undefined || this.#stepsLeft < 0) continue
      const { value, reason, weight } = defaultOf(fields[field]!, `${prefix}${fields[field]!.name}`, nested)
      this.#stepsLeft -= weight
      step.absentWeight += weight
      if (value === undefined) missing.push({ field, reason })
      else absent.push({ field, value })
    }
    step.absent = absent
    step.missing = missing
  }

  #memberFor(writer: Single, members: readonly Single[]): Single | undefined {
    const same = members.filter((member) => isSame(writer, member))
    if (same.length > 0) return same.find((member) => hasFullName(writer, member)) ?? same[0]
    const takers = members.filter((member) => takes(writer, member))
    return takers.find((member) => this.#hasAllFields(writer, member)) ?? takers[0]
  }

  #hasAllFields(writer: Single, member: Single): boolean {
    if (writer.kind !== 'record' || member.kind !== 'record') return true
    this.#stepsLeft -= writer.fields.length + member.fields.length
    if (this.#stepsLeft < 0) return true
    const sources = sourcesOf(writer, member.fields)
    return member.fields.every(
      ({ type, default: value }, index) =>
        sources[index] !== undefined || value !== undefined || takesNull(type),
    )
  }
}

function newRecord(fields: readonly AvroField[]): RecordStep {
  const names = fields.map((field) => field.name)
  return { op: 'record', names, reads: [], absent: [], absentWeight: 0, missing: [] }
}

/**
 * The name under which the writer wrote each field; undefined if it did not. The field's own name has priority over its
 * aliases.
 */
function sourcesOf(writer: RecordType, fields: readonly AvroField[]): (string | undefined)[] {
  const written = new Set(writer.fields.map((field) => field.name))
  const sources = fields.map(({ name }) => (written.delete(name) ? name : undefined))
  return sources.map(
    (source, index) => source ?? fields[index]!.aliases.find((alias) => written.delete(alias)),
  )
}

/** The step that reads a value of a primitive type, by the writer's type and the reader's. */
const PROMOTIONS: Readonly<Record<PrimitiveName, Readonly<Partial<Record<PrimitiveName, Step>>>>> = {
  null: { null: { op: 'null' } },
  boolean: { boolean: { op: 'boolean' } },
  int: { int: { op: 'int' }, long: { op: 'int' }, float: { op: 'toFloat' }, double: { op: 'toDouble' } },
  long: { long: { op: 'long' }, float: { op: 'toFloat' }, double: { op: 'toDouble' } },
  float: { float: { op: 'float' }, double: { op: 'float' } },
  double: { double: { op: 'double' } },
  string: { string: { op: 'string' }, bytes: { op: 'bytes' } },
  bytes: { bytes: { op: 'bytes' }, string: { op: 'string' } },
}

function primitiveStep(primitive: PrimitiveName, reader: Single): Step | undefined {
  return reader.kind === 'primitive' ? PROMOTIONS[primitive][reader.primitive] : undefined
}

function enumStep(writer: EnumType, reader: Single, path: string): Step {
  if (reader.kind !== 'enum') return { op: 'enum', symbols: writer.symbols, written: writer.symbols, path }
  const known = new Set(reader.symbols)
  const instead = enumDefault(reader, known)
  const symbols = writer.symbols.map((symbol) => (known.has(symbol) ? symbol : instead))
  return { op: 'enum', symbols, written: writer.symbols, path }
}

function enumDefault({ properties }: EnumType, symbols: ReadonlySet<string>): string | undefined {
  const symbol = properties.find(([name]) => name === 'default')?.[1]
  return typeof symbol === 'string' && symbols.has(symbol) ? symbol : undefined
}

function withMeaning(base: Step, writer: Single, reader: Single, path: string, nested: boolean): Step {
  const meaning = logicalOf(reader)
  if (meaning === undefined || base.op === 'fail') return base
  const written = logicalOf(writer)
  if (meaning.kind === 'decimal' && written?.kind === 'decimal' && meaning.scale !== written.scale) {
    const reason = `field ${path} was written as a decimal of scale ${written.scale} and is read as one of scale ${meaning.scale}`
    return { op: 'fail', reason }
  }
  const convert = conversion(meaning, written, base.op === 'string' ? 'text' : 'other', path, nested)
  return convert === undefined ? base : { op: 'logical', base, convert }
}

/** Whether values can be converted to the member. The contents of records, arrays and maps are not compared. */
function takes(writer: Single, member: Single): boolean {
  switch (writer.kind) {
    case 'primitive':
      return primitiveStep(writer.primitive, member) !== undefined
    case 'enum':
      if (member.kind === 'enum') return nameMatches(writer, member)
      return member.kind === 'primitive' && member.primitive === 'string'
    case 'fixed':
      if (member.kind === 'fixed') return member.size === writer.size && nameMatches(writer, member)
      return member.kind === 'primitive' && member.primitive === 'bytes'
    default:
      return member.kind === writer.kind
  }
}

/** Whether the member has the same type, so that no conversion is needed. */
function isSame(writer: Single, member: Single): boolean {
  if (writer.kind === 'primitive') return member.kind === 'primitive' && member.primitive === writer.primitive
  if (writer.kind === 'array' || writer.kind === 'map') return member.kind === writer.kind
  return member.kind === writer.kind && takes(writer, member) && nameMatches(writer, member)
}

function hasFullName(writer: Single, member: Single): boolean {
  return 'name' in writer && 'name' in member && fullName(writer.name) === fullName(member.name)
}

function nameMatches(writer: NamedType, reader: NamedType): boolean {
  const isWritten = (name: AvroName) => name.name === writer.name.name
  return isWritten(reader.name) || reader.aliases.some(isWritten)
}

function mismatch(writer: AvroType, reader: AvroType, path: string): FailStep {
  return {
    op: 'fail',
    reason: `field ${path} was written as ${describe(writer)} and is read as ${describe(reader)}`,
  }
}

function describe(type: AvroType): string {
  if (type.kind === 'primitive') return type.primitive
  if (type.kind === 'fixed') return `fixed ${fullName(type.name).slice(0, 60)} of ${type.size} bytes`
  return 'name' in type ? `${type.kind} ${fullName(type.name).slice(0, 60)}` : type.kind
}
