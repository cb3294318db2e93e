/** Random Avro schemas with values for them, as avsc takes them with `wrapUnions: 'always'`. */
import type { Schema } from 'avsc'
import fc from 'fast-check'

export interface SchemaAndValues {
  readonly schema: Schema
  readonly values: readonly unknown[]
}

export function schemaAndValues(): fc.Arbitrary<SchemaAndValues> {
  return shapes.chain((shape) => {
    const naming = new Naming()
    const { schema, value } = naming.typed(shape)
    return fc.record({ schema: fc.constant(schema), values: fc.array(value, { maxLength: 8 }) })
  })
}

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const
type Primitive = (typeof PRIMITIVES)[number]

/** A type before it has a name. `again` becomes the named type that was defined last. */
type Shape =
  | { readonly kind: 'primitive'; readonly primitive: Primitive }
  | { readonly kind: 'fixed'; readonly size: number }
  | { readonly kind: 'enum'; readonly symbols: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'array' | 'map'; readonly of: Shape }
  | {
      readonly kind: 'record' | 'union'
      readonly of: readonly Shape[]
      readonly namespace: string | undefined
    }

const shapes = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ kind: fc.constant('primitive' as const), primitive: fc.constantFrom(...PRIMITIVES) }),
    fc.record({ kind: fc.constant('fixed' as const), size: fc.nat(20) }),
    fc.record({ kind: fc.constant('enum' as const), symbols: fc.integer({ min: 1, max: 200 }) }),
    fc.record({ kind: fc.constant('again' as const) }),
    fc.record({ kind: fc.constantFrom('array' as const, 'map' as const), of: tie('shape') }),
    fc.record({
      kind: fc.constantFrom('record' as const, 'record' as const, 'union' as const),
      of: fc.array(tie('shape'), { maxLength: 5 }),
      namespace: fc.constantFrom(undefined, 'a', 'a.b'),
    }),
  ),
})).shape

interface Typed {
  readonly schema: Schema
  readonly value: fc.Arbitrary<unknown>
  /** What a union that holds this type calls it. */
  readonly branch: string
}

const PRIMITIVE_VALUES: Record<Primitive, fc.Arbitrary<unknown>> = {
  null: fc.constant(null),
  boolean: fc.boolean(),
  int: fc.integer(),
  // avsc refuses what is closer to the limits of a double.
  long: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  float: fc.float(),
  double: fc.double(),
  bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  string: fc.string({ maxLength: 100 }),
}

class Naming {
  #count = 0
  #last: Typed | undefined

  typed(shape: Shape): Typed {
    switch (shape.kind) {
      case 'primitive':
        return { schema: shape.primitive, value: PRIMITIVE_VALUES[shape.primitive], branch: shape.primitive }
      case 'again':
        return this.#last ?? this.typed({ kind: 'primitive', primitive: 'int' })
      case 'fixed': {
        const name = this.#name()
        const bytes = fc.uint8Array({ minLength: shape.size, maxLength: shape.size })
        const value = bytes.map((content) => Buffer.from(content))
        return this.#named(name, { type: 'fixed', name, size: shape.size }, value)
      }
      case 'enum': {
        const name = this.#name()
        const symbols = Array.from({ length: shape.symbols }, (_, index) => `S${index}`)
        return this.#named(name, { type: 'enum', name, symbols }, fc.constantFrom(...symbols))
      }
      case 'array': {
        const { schema, value } = this.typed(shape.of)
        return {
          schema: { type: 'array', items: schema },
          value: fc.array(value, { maxLength: 80 }),
          branch: 'array',
        }
      }
      case 'map': {
        const { schema, value } = this.typed(shape.of)
        const values = fc.dictionary(fc.string({ maxLength: 8 }), value, {
          maxKeys: 5,
          noNullPrototype: true,
        })
        return { schema: { type: 'map', values: schema }, value: values, branch: 'map' }
      }
      case 'record':
        return this.#record(shape.of, shape.namespace)
      case 'union':
        return this.#union(shape.of)
    }
  }

  #record(shapes: readonly Shape[], namespace: string | undefined): Typed {
    const name = this.#name(namespace)
    const fields = shapes.map((shape, index) => ({ name: `f${index}`, ...this.typed(shape) }))
    const schema = {
      type: 'record' as const,
      name,
      fields: fields.map((field) => ({ name: field.name, type: field.schema })),
    }
    const value = fc.record(Object.fromEntries(fields.map((field) => [field.name, field.value])), {
      noNullPrototype: true,
    })
    return this.#named(schema.name, schema, value)
  }

  #union(shapes: readonly Shape[]): Typed {
    const branches = new Map<string, Typed>()
    for (const shape of shapes) {
      const before = this.#last
      // Unions may not hold unions.
      const typed = this.typed(shape.kind === 'union' ? { kind: 'again' } : shape)
      // What a branch defines that is left out cannot be mentioned later.
      if (branches.has(typed.branch)) this.#last = before
      else branches.set(typed.branch, typed)
    }
    if (branches.size === 0) branches.set('null', this.typed({ kind: 'primitive', primitive: 'null' }))
    const values = [...branches].map(([branch, { value }]) =>
      branch === 'null' ? fc.constant(null) : value.map((inner) => ({ [branch]: inner })),
    )
    return {
      schema: [...branches.values()].map(({ schema }) => schema) as Schema,
      value: fc.oneof(...values),
      branch: 'union',
    }
  }

  #named(name: string, schema: Schema, value: fc.Arbitrary<unknown>): Typed {
    this.#last = { schema: name, value, branch: name }
    return { schema, value, branch: name }
  }

  /** With its namespace in the name, a type can be mentioned from anywhere. */
  #name(namespace = 'top'): string {
    this.#count += 1
    return `${namespace}.N${this.#count}`
  }
}
