/**
 * How data of a writer's schema become values of the schema given, by Avro's rules of resolution: worked out once, then
 * followed for every datum (avro-reader.ts).
 *
 *   int -> long, float, double    long -> float, double    float -> double    string <-> bytes
 *   record    field by field, by name; the records may have different names, as the dialect knows no aliases
 *   union     of the writer: whichever branch a datum has; of the reader: the first member that takes it as it is, else
 *             the first that converts it. Of several records the one of the same name.
 *
 * Two things go beyond Avro, because the dialect lacks what Avro has for them: a field that the writer does not know is
 * null if it may be (there are no defaults), and an enum is read as a string, a fixed as bytes.
 *
 * What does not resolve is a step that fails, for a datum may never come there.
 */
import { type AvroType, fullName, type PrimitiveName, type RecordType } from '../schemas/avro-schema.ts'
import type { Field, RecordSchema, Schema } from '../schemas/schema.ts'

export type Step =
  | { readonly op: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string' | 'bytes' }
  /** A whole number to a float or double. */
  | { readonly op: 'toFloat' | 'toDouble' }
  | { readonly op: 'fixed'; readonly size: number }
  | { readonly op: 'enum'; readonly symbols: readonly string[] }
  | { readonly op: 'array' | 'map'; readonly items: Step }
  | { readonly op: 'union'; readonly branches: readonly Step[] }
  | RecordStep
  | { readonly op: 'fail'; readonly reason: string }

/** Mutable while its fields are worked out: they may lead back to it. */
export interface RecordStep {
  readonly op: 'record'
  /** Of the reader's fields, by their index there. */
  readonly names: readonly string[]
  /** In the writer's order. */
  reads: readonly FieldRead[]
  /** Fields that the writer does not know; they are null. */
  absent: readonly number[]
  /** A field that cannot be null and the writer does not know: no datum can be read. */
  missing: string | undefined
}

export interface FieldRead {
  /** The index of the reader's field, or -1 for bytes to pass over. */
  readonly field: number
  readonly step: Step | undefined
  readonly skip: AvroType
}

/** Resolves a whole datum into some of the fields: the steps of a record, or of a union of records. */
export function resolveDatum(writer: AvroType, fields: readonly Field[]): Step {
  const resolver = new Resolver()
  const resolveRecord = (type: AvroType): Step =>
    type.kind === 'record'
      ? resolver.fields(type, fields)
      : { op: 'fail', reason: `the event was written as ${describe(type)}, which is not a record` }
  if (writer.kind === 'union') return { op: 'union', branches: writer.branches.map(resolveRecord) }
  return resolveRecord(writer)
}

class Resolver {
  readonly #records = new Map<RecordType, Map<RecordSchema, RecordStep>>()

  resolve(writer: AvroType, reader: Schema, path: string): Step {
    if (writer.kind === 'union') {
      return { op: 'union', branches: writer.branches.map((branch) => this.resolve(branch, reader, path)) }
    }
    if (reader.type === 'union') {
      const member = memberFor(writer, reader.members)
      return member === undefined ? mismatch(writer, reader, path) : this.resolve(writer, member, path)
    }
    switch (writer.kind) {
      case 'primitive':
        return primitiveStep(writer.primitive, reader) ?? mismatch(writer, reader, path)
      case 'enum':
        return reader.type === 'string'
          ? { op: 'enum', symbols: writer.symbols }
          : mismatch(writer, reader, path)
      case 'fixed':
        return reader.type === 'bytes' ? { op: 'fixed', size: writer.size } : mismatch(writer, reader, path)
      case 'array':
        if (reader.type !== 'array') return mismatch(writer, reader, path)
        return { op: 'array', items: this.resolve(writer.items, reader.items, path) }
      case 'map':
        if (reader.type !== 'map') return mismatch(writer, reader, path)
        return { op: 'map', items: this.resolve(writer.values, reader.values, path) }
      case 'record':
        return reader.type === 'record' ? this.#record(writer, reader, path) : mismatch(writer, reader, path)
    }
  }

  #record(writer: RecordType, reader: RecordSchema, path: string): RecordStep {
    const readers = this.#records.get(writer) ?? new Map<RecordSchema, RecordStep>()
    this.#records.set(writer, readers)
    const known = readers.get(reader)
    if (known !== undefined) return known
    const step: RecordStep = {
      op: 'record',
      names: reader.fields.map((field) => field.name),
      reads: [],
      absent: [],
      missing: undefined,
    }
    readers.set(reader, step)
    return this.#fill(step, writer, reader.fields, `${path}.`)
  }

  fields(writer: RecordType, fields: readonly Field[]): RecordStep {
    const names = fields.map((field) => field.name)
    return this.#fill({ op: 'record', names, reads: [], absent: [], missing: undefined }, writer, fields, '')
  }

  #fill(step: RecordStep, writer: RecordType, fields: readonly Field[], prefix: string): RecordStep {
    const indexes = new Map(fields.map((field, index) => [field.name, index]))
    const written = new Set(writer.fields.map((field) => field.name))
    step.reads = writer.fields
      .map(({ name, type }): FieldRead => {
        const field = indexes.get(name) ?? -1
        const read = field < 0 ? undefined : this.resolve(type, fields[field].schema, `${prefix}${name}`)
        return { field, step: read, skip: type }
      })
      // What takes no bytes and is not wanted is no work.
      .filter(({ field, skip }) => field >= 0 || skip.constantBytes !== 0)
    const absent = fields.flatMap((field, index) => (written.has(field.name) ? [] : [index]))
    step.absent = absent
    const missing = absent.find((index) => !takesNull(fields[index].schema))
    if (missing !== undefined) step.missing = `${prefix}${fields[missing].name}`
    return step
  }
}

function takesNull(schema: Schema): boolean {
  return (
    schema.type === 'null' ||
    (schema.type === 'union' && schema.members.some((member) => member.type === 'null'))
  )
}

/** What a value of a primitive type is read as, by the type of the reader. */
const PROMOTIONS: Readonly<Record<PrimitiveName, Readonly<Partial<Record<Schema['type'], Step>>>>> = {
  null: { null: { op: 'null' } },
  boolean: { boolean: { op: 'boolean' } },
  int: { int: { op: 'int' }, long: { op: 'int' }, float: { op: 'toFloat' }, double: { op: 'toDouble' } },
  long: { long: { op: 'long' }, float: { op: 'toFloat' }, double: { op: 'toDouble' } },
  float: { float: { op: 'float' }, double: { op: 'float' } },
  double: { double: { op: 'double' } },
  string: { string: { op: 'string' }, bytes: { op: 'bytes' } },
  bytes: { bytes: { op: 'bytes' }, string: { op: 'string' } },
}

function primitiveStep(primitive: PrimitiveName, reader: Schema): Step | undefined {
  return PROMOTIONS[primitive][reader.type]
}

function memberFor(
  writer: Exclude<AvroType, { kind: 'union' }>,
  members: readonly Schema[],
): Schema | undefined {
  const takers = members.filter((member) => takes(writer, member))
  return takers.find((member) => isSame(writer, member)) ?? takers[0]
}

function takes(writer: AvroType, member: Schema): boolean {
  switch (writer.kind) {
    case 'primitive':
      return primitiveStep(writer.primitive, member) !== undefined
    case 'enum':
      return member.type === 'string'
    case 'fixed':
      return member.type === 'bytes'
    default:
      return member.type === writer.kind
  }
}

function isSame(writer: AvroType, member: Schema): boolean {
  if (writer.kind === 'primitive') return member.type === writer.primitive
  if (writer.kind !== 'record' || member.type !== 'record') return true
  return member.name === fullName(writer.name) || unqualified(member.name) === writer.name.name
}

function unqualified(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function mismatch(writer: AvroType, reader: Schema, path: string): Step {
  return {
    op: 'fail',
    reason: `field ${path} was written as ${describe(writer)} and is read as ${reader.type}`,
  }
}

function describe(type: AvroType): string {
  if (type.kind === 'primitive') return type.primitive
  return type.kind === 'record' ? `record ${fullName(type.name).slice(0, 60)}` : type.kind
}
