/**
 * Entities of CDAP that do not exist here. Its command line and its clients list them, and read 404 as a missing namespace. So
 * the lists are empty, and a single app, artifact or dataset is not found.
 */
import type { Streams } from '../../streams/streams.ts'
import { answerJsonText } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOf } from '../server/path-names.ts'

/** Paths below a namespace whose answer is `[]`. */
export const EMPTY_LISTS = [
  'apps',
  'flows',
  'mapreduce',
  'services',
  'spark',
  'workers',
  'workflows',
  'artifacts',
  'classes/apps',
  'data/datasets',
  'data/modules',
  'data/types',
  'configuration/dashboards',
] as const

export function absentRoutes(streams: Streams) {
  const inNamespace = (json: '[]' | '{}') => (c: HttpContext) => {
    streams.assertNamespace(namespaceOf(c))
    return answerJsonText(c, json)
  }

  return {
    list: inNamespace('[]'),
    preferences: inNamespace('{}'),

    /** Of the instance, not of a namespace. */
    instancePreferences(c: HttpContext) {
      return answerJsonText(c, '{}')
    },

    /** Entries of the configurations of CDAP and of Hadoop. */
    configuration(c: HttpContext) {
      return answerJsonText(c, '[]')
    },
  }
}
