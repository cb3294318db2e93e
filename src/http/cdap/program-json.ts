/** The program that a document names: members `"app"`, `"program"` and `"type"`. */
import { ServiceError } from '../../service-error.ts'
import { type NamespaceName, parseApplicationName, parseProgramName } from '../../streams/names.ts'
import { PROGRAM_TYPES, type ProgramId } from '../../streams/usage.ts'

/** A Service unless `type` says otherwise; undefined if none is named. Throws 'invalid_parameter', 'invalid_id'. */
export function parseProgram(
  members: ReadonlyMap<string, string>,
  namespace: NamespaceName,
): ProgramId | undefined {
  const application = members.get('app')
  const program = members.get('program')
  if (application === undefined && program === undefined) return undefined
  if (application === undefined || program === undefined) {
    throw invalid('app and program go together; give both or neither')
  }
  const word = members.get('type') ?? 'Service'
  const type = PROGRAM_TYPES.find((one) => one === word)
  if (type === undefined) throw invalid(`type is '${word}'; use ${PROGRAM_TYPES.join(', ')}`)
  return {
    namespace,
    application: parseApplicationName(application),
    type,
    program: parseProgramName(program),
  }
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
