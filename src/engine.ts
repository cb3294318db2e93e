/** Opens the storage engine that the configuration names. */
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openKafkaStorage } from '../storage/kafka/open.ts'
import type { KafkaStorageOptions } from '../storage/kafka/settings.ts'
import { openStorage } from '../storage/level/open.ts'
import type { Storage } from '../storage/storage.ts'
import type { Config } from './config.ts'
import type { Environment } from './environment.ts'
import { type KafkaConfig, parseSasl } from './kafka-config.ts'

/** Every LevelDB has this file. */
const LEVELDB_FILE = 'CURRENT'

/**
 * Rejects with StorageError if the store cannot be opened, and with an Error of one sentence if a file of the
 * configuration cannot be used.
 */
export async function openEngine(config: Config, environment: Environment): Promise<Storage> {
  const { dataFolder, kafka } = config
  const { nowMs, report } = environment
  if (environment.openStorage !== undefined) return environment.openStorage(nowMs)
  if (kafka === undefined) return openStorage(dataFolder, { nowMs, sync: true })
  const options = await kafkaOptions(kafka, dataFolder, { nowMs, report })
  return openKafkaStorage({ ...options, freeDiskBytesMin: config.minFreeDiskBytes })
}

type FromEnvironment = Pick<Environment, 'nowMs' | 'report'>

/** Makes the data folder if it is missing. */
export async function kafkaOptions(
  { prefix, flush, insecure, spoolBytesMax, pendingMs, nodeUrl, ...access }: KafkaConfig,
  folder: string,
  environment: FromEnvironment,
): Promise<KafkaStorageOptions> {
  if (existsSync(join(folder, LEVELDB_FILE)))
    throw new Error(
      `data folder ${folder} holds streams of its own, which --log kafka:// would not show; ` +
        'name another folder with --data, and move the streams with export and import (docs/kafka.md)',
    )
  await mkdir(folder, { recursive: true })
  return {
    ...{ access: await accessOf(access), prefix, folder, flush, insecure, spoolBytesMax, pendingMs },
    ...(nodeUrl !== undefined && { nodeUrl }),
    ...environment,
  }
}

async function accessOf({
  brokers,
  tls,
  saslFile,
}: Pick<KafkaConfig, 'brokers' | 'tls' | 'saslFile'>): Promise<KafkaStorageOptions['access']> {
  const sasl = saslFile === undefined ? undefined : parseSasl(`${await fileOf(saslFile)}`, saslFile)
  return {
    brokers,
    ...(sasl && { sasl }),
    ...(tls && {
      tls: {
        ...(tls.ca !== undefined && { ca: await fileOf(tls.ca) }),
        ...(tls.certificate !== undefined && { cert: await fileOf(tls.certificate) }),
        ...(tls.key !== undefined && { key: await fileOf(tls.key) }),
      },
    }),
  }
}

async function fileOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const reason = String((cause as { code?: unknown }).code ?? cause)
    throw new Error(`${path} cannot be read: ${reason}; name a file that the service may read`, { cause })
  }
}
