/** Which programs use which streams, with the nested ids that CDAP has for its old clients. */
import { ServiceError } from '../../service-error.ts'
import {
  type ApplicationName,
  type NamespaceName,
  parseApplicationName,
  parseProgramName,
  parseStreamName,
  type StreamId,
} from '../../streams/names.ts'
import type { ProgramId, ProgramType, UsageRegistry } from '../../streams/usage.ts'
import { answerJson } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOf, streamOf } from '../server/path-names.ts'

/** The word in a path -> the program type in JSON. */
const PROGRAM_TYPE_OF_WORD: ReadonlyMap<string, ProgramType> = new Map([
  ['flows', 'Flow'],
  ['mapreduce', 'Mapreduce'],
  ['services', 'Service'],
  ['spark', 'Spark'],
  ['workflows', 'Workflow'],
  ['workers', 'Worker'],
])

/** CDAP's grammar for datasets allows more than ours for streams. */
const DATASET_NAME = /^[$.a-zA-Z0-9_-]+$/

export function usageRoutes(usage: UsageRegistry) {
  return {
    streamsOfApplication(c: HttpContext) {
      return answerStreams(c, usage.streamsOf(applicationOf(c)))
    },

    /** One handler for each word that names a program type in a path. */
    streamsOfProgram: [...PROGRAM_TYPE_OF_WORD].map(([word, type]) => {
      const handler = (c: HttpContext) => {
        const application = applicationOf(c)
        const program = parseProgramName(c.req.param('program') ?? '')
        return answerStreams(c, usage.streamsOf({ ...application, type, program }))
      }
      return [word, handler] as const
    }),

    programsOfStream(c: HttpContext) {
      return answerJson(c, usage.programsOf(streamOf(c)).map(printProgram))
    },

    /**
     * CDAP's documentation has this path for the programs of a stream. There are no datasets here, so the name is that of a
     * stream; a name that only a dataset can have has no programs.
     */
    programsOfDataset(c: HttpContext) {
      const namespace = namespaceOf(c)
      const dataset = c.req.param('dataset') ?? ''
      if (!DATASET_NAME.test(dataset)) {
        throw new ServiceError(
          'invalid_id',
          `Invalid dataset ID: ${dataset}. Should only contain alphanumeric characters and _, -, ., or $.`,
        )
      }
      if (/[$.]/.test(dataset)) return answerJson(c, [])
      const stream = parseStreamName(dataset)
      return answerJson(c, usage.programsOf({ namespace, stream }).map(printProgram))
    },
  }
}

/** Only streams that the client's grants include. */
function answerStreams(c: HttpContext, streams: readonly StreamId[]): Response {
  const grants = c.get('client')?.grants
  const visible = streams.filter(({ namespace, stream }) => grants?.includeStream(namespace, stream) ?? true)
  return answerJson(c, visible.map(printStream))
}

function applicationOf(c: HttpContext): { namespace: NamespaceName; application: ApplicationName } {
  return { namespace: namespaceOf(c), application: parseApplicationName(c.req.param('application') ?? '') }
}

function printStream({ namespace, stream }: StreamId) {
  return { namespace: { id: namespace }, streamName: stream }
}

function printProgram({ namespace, application, type, program }: ProgramId) {
  return { application: { namespace: { id: namespace }, applicationId: application }, type, id: program }
}
