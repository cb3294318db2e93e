/**
 * How a jar is to run, from a body and the query: the body wins. Unknown members are ignored; null and an empty text count as
 * absent, as the dashboard sends them. Numbers and booleans may be texts.
 */
import { argumentsIn } from '../../jars/program-arguments.ts'
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText, scalarTexts } from '../messages/json-values.ts'
import type { LenientJson, LenientObject } from '../messages/lenient-json.ts'

/** Of a body; a member that is not there is undefined. */
export interface JarRunBody {
  readonly programArgs: string | undefined
  readonly programArgsList: readonly string[] | undefined
  readonly parallelism: string | undefined
  /** 32 lower-case hexadecimal digits. */
  readonly jobId: string | undefined
  readonly savepointPath: string | undefined
  readonly allowNonRestoredState: boolean | undefined
  /** `pipeline.name` of the configuration. */
  readonly jobName: string | undefined
}

/** Query parameters by their names. */
export interface JarRunQuery {
  get(name: string): string | undefined
  all(name: string): readonly string[] | undefined
}

export interface JarRunRequest {
  readonly given: readonly string[]
  readonly jid: string | undefined
  readonly name: string | undefined
  readonly restore: { readonly location: string; readonly allowNonRestoredState: boolean } | undefined
}

/** As long as a path may be. */
const PATH_CHARACTERS_MAX = 4_096
const ARGUMENTS_MAX = 10_000
const JOB_NAME = 'pipeline.name'

/** Throws ServiceError 'invalid_parameter'. */
export function parseJarRun(body: Uint8Array, depthMax?: number): JarRunBody {
  const json = readJson(body, depthMax, (cause) => wrongForm({ cause })) ?? new Map()
  if (!(json instanceof Map)) throw wrongForm()
  const members = json as LenientObject
  text(members, 'entryClass') // accepted: the scripts of a jar are all run
  text(members, 'entry-class')
  const jobId = text(members, 'jobId')
  if (jobId !== undefined && !/^[0-9a-f]{32}$/i.test(jobId)) throw wrongForm()
  const configuration = members.get('flinkConfiguration') ?? new Map()
  const settings = scalarTexts(configuration)
  if (settings === undefined) throw wrongForm()
  return {
    programArgs: text(members, 'programArgs'),
    programArgsList: texts(members, 'programArgsList'),
    parallelism: text(members, 'parallelism'),
    jobId: jobId?.toLowerCase(),
    savepointPath: text(members, 'savepointPath', PATH_CHARACTERS_MAX),
    allowNonRestoredState: flag(text(members, 'allowNonRestoredState'), wrongForm),
    jobName: settings.get(JOB_NAME),
  }
}

/** Throws ServiceError 'invalid_parameter'. */
export function jarRunOf(body: JarRunBody, query: JarRunQuery): JarRunRequest {
  const parallelism = body.parallelism ?? query.get('parallelism')
  assertParallelism(parallelism)
  const wrongFlag = () =>
    new ServiceError(
      'invalid_parameter',
      'Bad request, could not parse parameters: Cannot resolve query parameter (allowNonRestoredState) from value ' +
        `"${query.get('allowNonRestoredState')}".`,
    )
  const allowNonRestoredState =
    body.allowNonRestoredState ?? flag(query.get('allowNonRestoredState'), wrongFlag) ?? false
  const location = body.savepointPath ?? query.get('savepointPath')
  return {
    given: argumentsOf(body, query),
    jid: body.jobId,
    name: body.jobName,
    restore: location === undefined ? undefined : { location, allowNonRestoredState },
  }
}

function argumentsOf(body: JarRunBody, query: JarRunQuery): readonly string[] {
  const whole = body.programArgs ?? query.get('program-args')
  const list = body.programArgsList ?? query.all('programArg')?.flatMap((value) => value.split(','))
  if (whole !== undefined && list !== undefined) {
    throw new ServiceError(
      'invalid_parameter',
      'Confusing request: programArgs and programArgsList are specified, please, use only programArgsList',
    )
  }
  return list ?? argumentsIn(whole ?? '')
}

/** Every job runs with 1, so any number is accepted that Flink accepts; -1 stands for its default. */
function assertParallelism(parallelism: string | undefined): void {
  if (parallelism === undefined || /^(?:-1|0*[1-9][0-9]{0,9})$/.test(parallelism)) return
  throw new ServiceError(
    'invalid_parameter',
    `parallelism is ${parallelism.slice(0, 100)}; use a whole number above 0`,
  )
}

function text(members: LenientObject, name: string, charactersMax = Number.POSITIVE_INFINITY) {
  const value: LenientJson | undefined = members.get(name)
  if (value === undefined || value === null || value === '') return undefined
  const found = scalarText(value)
  if (found === undefined || found.length > charactersMax || found.includes('\0')) throw wrongForm()
  return found
}

function texts(members: LenientObject, name: string): readonly string[] | undefined {
  const value = members.get(name)
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || value.length > ARGUMENTS_MAX) throw wrongForm()
  return (value as readonly LenientJson[]).map((item) => {
    const found = scalarText(item)
    if (found === undefined) throw wrongForm()
    return found
  })
}

function flag(value: string | undefined, refusal: () => ServiceError): boolean | undefined {
  if (value === undefined || value === '') return undefined
  if (value === 'true' || value === 'false') return value === 'true'
  throw refusal()
}

function wrongForm(options?: ErrorOptions): ServiceError {
  return new ServiceError(
    'invalid_parameter',
    'Request did not match expected format JarRunRequestBody.',
    options,
  )
}
