/** What one request is: its name, with the one version that we write and read, and both directions of its codec. */
import type { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

/** The requests of the engine. Brokers from 3.1 on have these versions. */
export const APIS = {
  Produce: { key: 0, version: 9 },
  Fetch: { key: 1, version: 12 },
  ListOffsets: { key: 2, version: 7 },
  Metadata: { key: 3, version: 12 },
  FindCoordinator: { key: 10, version: 4 },
  SaslHandshake: { key: 17, version: 1 },
  ApiVersions: { key: 18, version: 3 },
  CreateTopics: { key: 19, version: 7 },
  DeleteTopics: { key: 20, version: 6 },
  DeleteRecords: { key: 21, version: 2 },
  InitProducerId: { key: 22, version: 4 },
  AddPartitionsToTxn: { key: 24, version: 3 },
  EndTxn: { key: 26, version: 3 },
  DescribeConfigs: { key: 32, version: 4 },
  SaslAuthenticate: { key: 36, version: 2 },
  IncrementalAlterConfigs: { key: 44, version: 1 },
} as const satisfies Record<string, { readonly key: number; readonly version: number }>

export type ApiName = keyof typeof APIS

export interface KafkaRequest<R> {
  readonly api: ApiName
  /** A longer answer is refused; ANSWER_BYTES_MAX if absent. */
  readonly answerBytesMax?: number
  write(writer: WireWriter): void
  /** Reads the body of the answer to its end: what is left over makes the answer malformed. */
  read(reader: WireReader): R
}

/** Metadata of 100,000 topics takes 10 MB. */
export const ANSWER_BYTES_MAX = 32 * 1024 * 1024
