/** The list of formats. A new format is a new file and a line here. */
import { avro } from './avro.ts'
import { clf } from './clf.ts'
import { csv, tsv } from './delimited.ts'
import type { Format } from './format.ts'
import { grok } from './grok.ts'
import { json } from './json.ts'
import { syslog } from './syslog.ts'
import { text } from './text.ts'

export const FORMATS: readonly Format[] = [avro, csv, tsv, text, clf, grok, syslog, json]

/**
 * Java class names under which CDAP's own clients and tests may refer to a format, in their present package and the one
 * before. A class has its own defaults, not those of the format names that share it: delimited strings are csv.
 */
const CLASSES: ReadonlyMap<string, Format> = new Map([
  ['AvroRecordFormat', avro],
  ['CombinedLogRecordFormat', clf],
  ['DelimitedStringsRecordFormat', csv],
  ['GrokRecordFormat', grok],
  ['TextRecordFormat', text],
])
const PACKAGES = ['co.cask.cdap.format', 'co.cask.cdap.data.format']

const BY_NAME: ReadonlyMap<string, Format> = new Map([
  ...FORMATS.map((format) => [format.name, format] as const),
  ...PACKAGES.flatMap((path) =>
    [...CLASSES].map(([className, format]) => [`${path}.${className}`.toLowerCase(), format] as const),
  ),
])

/** The format of this name, in any case. */
export function findFormat(name: string): Format | undefined {
  return BY_NAME.get(name.toLowerCase())
}
