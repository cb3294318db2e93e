/** The metadata of an event that a column may show, and the types of such columns. */
import { type DataType, printType } from './data-types.ts'

export const METADATA_KEYS = [
  'topic',
  'partition',
  'offset',
  'timestamp',
  'timestamp-type',
  'leader-epoch',
  'headers',
] as const

export type MetadataKey = (typeof METADATA_KEYS)[number]

const isText = ({ kind }: DataType) => kind === 'STRING' || kind === 'VARCHAR' || kind === 'CHAR'
const isWhole = ({ kind }: DataType) => kind === 'INT' || kind === 'BIGINT'

interface MetadataType {
  readonly accepts: (type: DataType) => boolean
  readonly wanted: string
}

const TEXT: MetadataType = { accepts: isText, wanted: 'STRING' }
const WHOLE: MetadataType = { accepts: isWhole, wanted: 'INT or BIGINT' }

const TYPES: Readonly<Record<MetadataKey, MetadataType>> = {
  topic: TEXT,
  partition: WHOLE,
  offset: { accepts: ({ kind }) => kind === 'BIGINT', wanted: 'BIGINT' },
  timestamp: {
    accepts: (type) => (type.kind === 'TIMESTAMP_LTZ' || type.kind === 'TIMESTAMP') && type.precision >= 3,
    wanted: 'TIMESTAMP_LTZ(3)',
  },
  'timestamp-type': TEXT,
  'leader-epoch': WHOLE,
  headers: {
    accepts: (type) => type.kind === 'MAP' && (type.value.kind === 'BYTES' || isText(type.value)),
    wanted: 'MAP<STRING, BYTES> or MAP<STRING, STRING>',
  },
}

/** Why a column of this type cannot show this metadata; undefined if it can. */
export function metadataTypeProblem(key: MetadataKey, type: DataType): string | undefined {
  const { accepts, wanted } = TYPES[key]
  if (accepts(type)) return undefined
  return `metadata '${key}' is of type ${wanted}, not ${printType(type)}`
}
