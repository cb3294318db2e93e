/** ApiVersions: whether a broker understands the versions of the requests that the engine sends. */
import { KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import { APIS, type ApiName, type KafkaRequest } from './request.ts'
import type { WireReader } from './wire-reader.ts'

interface VersionRange {
  readonly min: number
  readonly max: number
}

interface ApiVersions {
  readonly errorCode: number
  readonly ranges: ReadonlyMap<number, VersionRange>
}

/** The oldest release with all versions of `APIS`. */
const OLDEST_RELEASE = '3.1'

const REQUEST: KafkaRequest<ApiVersions> = {
  api: 'ApiVersions',
  write: (writer) => writer.string('millrace').string('1').tags(),
  read(reader) {
    const errorCode = reader.int16()
    // A broker that does not have this version answers in the format of version 0, and says which ones it has.
    if (errorCode === KAFKA_ERRORS.unsupportedVersion) {
      reader.rest()
      return { errorCode, ranges: new Map() }
    }
    const ranges = new Map(reader.array(() => rangeOf(reader)))
    reader.int32()
    reader.tags()
    return { errorCode, ranges }
  },
}

function rangeOf(reader: WireReader): [key: number, range: VersionRange] {
  const key = reader.int16()
  const range = { min: reader.int16(), max: reader.int16() }
  reader.tags()
  return [key, range]
}

/** Rejects with a lasting error that names the broker and the first request that it lacks. */
export async function checkVersions(
  broker: string,
  send: <R>(request: KafkaRequest<R>) => Promise<R>,
): Promise<void> {
  const { errorCode, ranges } = await send(REQUEST)
  if (errorCode !== 0) throw tooOld(broker, 'ApiVersions', undefined)
  for (const [api, { key, version }] of Object.entries(APIS)) {
    const range = ranges.get(key)
    // A broker without SASL does not list its requests.
    if (range === undefined && api.startsWith('Sasl')) continue
    if (range === undefined || version < range.min || version > range.max)
      throw tooOld(broker, api as ApiName, range)
  }
}

function tooOld(broker: string, api: ApiName, range: VersionRange | undefined): KafkaRequestError {
  const has = range === undefined ? 'does not have it' : `has versions ${range.min} to ${range.max}`
  return new KafkaRequestError(
    'not-sent',
    `broker ${broker}: ${api} version ${APIS[api].version} is needed, the broker ${has}; use Kafka ${OLDEST_RELEASE} or later`,
    { isLasting: true },
  )
}
