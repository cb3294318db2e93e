/** The store of a command: a data folder, or with `--log kafka://…` the topics of a Kafka cluster. */
import { openKafkaStorage } from '../../storage/kafka/open.ts'
import { openStorage } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import type { Given, Setting } from '../config-values.ts'
import { kafkaOptions } from '../engine.ts'
import { KAFKA_SETTINGS, KAFKA_SWITCHES, type KafkaConfig, kafkaConfig } from '../kafka-config.ts'
import { type CommandEnvironment, UsageError } from './command.ts'
import { dataFolderOf } from './data-folder.ts'
import type { Flags } from './flags.ts'

/** Of the service: `--log` and those that belong to it. */
export const KAFKA_VALUED = Object.values(KAFKA_SETTINGS).map(({ flag }) => flag)
export const KAFKA_SWITCHED = Object.values(KAFKA_SWITCHES).map(({ flag }) => flag)

/** Undefined: streams are in the data folder. Throws UsageError or ConfigError. */
export function kafkaOf(flags: Flags, { environment }: CommandEnvironment): KafkaConfig | undefined {
  const text = ({ flag, variable, fallback }: Setting): Given => {
    const given = flags.optional(flag)
    if (given !== undefined) return { text: given, source: `--${flag}` }
    const value = environment[variable]
    return value === undefined || value === ''
      ? { text: fallback, source: '' }
      : { text: value, source: variable }
  }
  const isOn = ({ flag, variable }: { readonly flag: string; readonly variable: string }) =>
    flags.has(flag) || ['1', 'true'].includes(environment[variable] ?? '')
  return kafkaConfig(text, isOn, { host: '', port: 0, hasTls: false })
}

/** Rejects with StorageError if it cannot be opened. */
export async function openCommandStore(flags: Flags, environment: CommandEnvironment): Promise<Storage> {
  const data = dataFolderOf(flags, environment)
  const { nowMs } = environment
  const kafka = kafkaOf(flags, environment)
  if (kafka === undefined) return openStorage(data, { nowMs, sync: true })
  const report = (error: unknown) => environment.tell(`${error instanceof Error ? error.message : error}\n`)
  return openKafkaStorage(await kafkaOptions(kafka, data, { nowMs, report }))
}

/** For a command about files of a data folder. Throws UsageError if streams are in Kafka. */
export function assertDataFolder(name: string, flags: Flags, environment: CommandEnvironment): void {
  if (kafkaOf(flags, environment) === undefined) return
  throw new UsageError(
    `'millrace ${name}' is not available with --log kafka: brokers keep replicas; use export, and verify for checksums and catalog`,
  )
}
