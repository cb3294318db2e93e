/**
 * Grok: a pattern finds named texts in a line, and a text becomes the value of the field of the same name.
 *
 *   pattern   %{GREEDYDATA:body}   see grok-pattern.ts; the library is in patterns/
 */
import { nullable, recordOf, simple } from '../schemas/schema.ts'
import type { Format, FormatSettings } from './format.ts'
import { grokPatternProblem } from './grok-pattern.ts'
import { compileProblem, GrokReader } from './grok-reader.ts'
import { GROK_LIBRARY } from './patterns/index.ts'
import { PatternTrees } from './regex/tree.ts'
import { scalarFieldsThenListProblem } from './scalar-fields.ts'

/** Shared by all readers. A library pattern is parsed when a pattern first refers to it. */
const TREES = new PatternTrees(GROK_LIBRARY)

export const grok: Format = {
  name: 'grok',
  defaultSchema: recordOf('streamEvent', { body: nullable(simple('string')) }),
  defaultSettings: new Map([['pattern', '%{GREEDYDATA:body}']]),
  schemaProblem: scalarFieldsThenListProblem,
  settingsProblem: patternProblem,
  reader: (schema, settings, wanted) =>
    new GrokReader(settings.get('pattern')!, schema, wanted, { trees: TREES }),
}

function patternProblem(settings: FormatSettings): string | undefined {
  const pattern = settings.get('pattern')!
  return grokPatternProblem(pattern, GROK_LIBRARY) ?? compileProblem(pattern, TREES)
}
