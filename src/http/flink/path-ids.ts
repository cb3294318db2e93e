/** Ids and numbers in paths and queries. The refusal has Flink's sentence, which clients may search for the parameter's name. */
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'

/** The names of path parameters, with those that Flink gives them in errors. */
const NAMES = {
  job: 'jobid',
  vertex: 'vertexid',
  trigger: 'triggerid',
  dataset: 'datasetid',
  subtask: 'subtaskindex',
  attempt: 'attempt',
  checkpoint: 'checkpointid',
} as const
type IdName = 'job' | 'vertex' | 'trigger' | 'dataset'
type NumberName = 'subtask' | 'attempt' | 'checkpoint'

const ID = /^[0-9a-f]{32}$/i
const WHOLE = /^[0-9]{1,15}$/
/** A longer value is not repeated in an error. */
const SHOWN_CHARACTERS_MAX = 100

/** 32 lower-case hexadecimal digits; capitals are accepted, as in Flink. Throws ServiceError 'invalid_parameter'. */
export function pathId(c: HttpContext, name: IdName): string {
  const text = c.req.param(name) ?? ''
  if (ID.test(text)) return text.toLowerCase()
  throw unresolved('path', NAMES[name], text)
}

/** Throws ServiceError 'invalid_parameter'. */
export function pathNumber(c: HttpContext, name: NumberName): number {
  const text = c.req.param(name) ?? ''
  if (WHOLE.test(text)) return Number(text)
  throw unresolved('path', NAMES[name], text)
}

/** Ids with commas between. Undefined without the parameter. Throws ServiceError 'invalid_parameter'. */
export function queryIds(c: HttpContext, name: string): ReadonlySet<string> | undefined {
  const texts = queryList(c, name)
  const wrong = texts?.find((text) => !ID.test(text))
  if (wrong !== undefined) throw unresolved('query', name, wrong)
  return texts && new Set(texts.map((text) => text.toLowerCase()))
}

/** Texts with commas between, of all parameters of this name; none for an empty value. Undefined without the parameter. */
export function queryList(c: HttpContext, name: string): readonly string[] | undefined {
  const values = c.req.queries(name)
  return values?.flatMap((value) => (value === '' ? [] : value.split(',')))
}

/** Whole numbers and ranges such as `0,1-3`. Undefined without the parameter. Throws ServiceError 'invalid_parameter'. */
export function querySubtasks(c: HttpContext, name: string): ((index: number) => boolean) | undefined {
  const texts = queryList(c, name)
  const ranges = texts?.map((text) => {
    const [, first, last = first] = /^([0-9]{1,9})(?:-([0-9]{1,9}))?$/.exec(text) ?? []
    if (first === undefined || Number(first) > Number(last)) throw unresolved('query', name, text)
    return [Number(first), Number(last)] as const
  })
  return ranges && ((index) => ranges.some(([first, last]) => index >= first && index <= last))
}

/** Throws ServiceError 'invalid_parameter'. */
export function queryNumber(c: HttpContext, name: string, fallback: number): number {
  const text = c.req.query(name)
  if (text === undefined || text === '') return fallback
  if (WHOLE.test(text)) return Number(text)
  throw unresolved('query', name, text)
}

export function unresolved(kind: 'path' | 'query', name: string, value: string): ServiceError {
  const shown = value.length > SHOWN_CHARACTERS_MAX ? `${value.slice(0, SHOWN_CHARACTERS_MAX)}…` : value
  return new ServiceError(
    'invalid_parameter',
    `Bad request, could not parse parameters: Cannot resolve ${kind} parameter (${name}) from value "${shown}".`,
  )
}
