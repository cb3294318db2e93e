/** An operation as its description has it: one line of a table for each route. */
import type { Json } from '../../../deployments/resources.ts'
import type { Schema } from '../../../deployments/schema.ts'
import type { Method } from '../../api.ts'
import type { Form } from './json-schema.ts'

export interface Operation {
  readonly method: Method
  /** With its parameters in braces. */
  readonly path: string
  readonly id: string
  readonly summary: string
  readonly tag: string
  readonly query?: Readonly<Record<string, Schema>>
  readonly body?: Body
  readonly answer: Answer
  /** Besides those that every operation has: 401, 403, 406 and 503; with a namespace in the path 404; with a body 400, 413 and 415. */
  readonly refusals?: readonly number[]
}

export interface Body {
  readonly schema: Schema
  readonly form: Form
  readonly example: Json
}

export interface Answer {
  readonly status: 200 | 201
  /** Named: a schema of the components. */
  readonly schema: Schema | { readonly name: string }
  readonly about: string
  readonly example: Json
  /** Operations by id that take a value of this answer: their parameter, and the JSON pointer of the value. */
  readonly links?: Readonly<Record<string, readonly [parameter: string, pointer: string]>>
}

export interface Tag {
  readonly name: string
  readonly description: string
}
