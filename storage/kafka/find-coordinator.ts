/** FindCoordinator: the broker that keeps the state of a transactional id. */
import type { Broker } from './metadata.ts'
import type { KafkaRequest } from './request.ts'
import { MalformedAnswer } from './wire-reader.ts'

const TRANSACTION = 1

export const coordinatorOf = (
  transactionalId: string,
): KafkaRequest<Broker & { readonly errorCode: number }> => ({
  api: 'FindCoordinator',
  write: (writer) =>
    writer
      .int8(TRANSACTION)
      .array([transactionalId], (key) => writer.string(key))
      .tags(),
  read(reader) {
    reader.int32() // throttle time
    const [coordinator] = reader.array(() => {
      reader.string() // key
      const node = reader.int32()
      const host = reader.string()
      const port = reader.int32()
      const errorCode = reader.int16()
      reader.nullableString()
      reader.tags()
      return { node, host, port, errorCode }
    })
    reader.tags()
    if (coordinator === undefined) throw new MalformedAnswer('no coordinator is in the answer')
    return coordinator
  },
})
