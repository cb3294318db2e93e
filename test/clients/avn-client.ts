/** `avn`, the command line of Aiven, in the versions that know tables and jobs of Flink. */
import { join } from 'node:path'
import { type Fetched, pythonProgram } from './client-files.ts'
import { type Run, run } from './client-run.ts'

/** The last one with flat flags for tables, and the last one with the API at all. */
export const AVN_VERSIONS = ['2.15.0', '2.17.0'] as const
export type AvnVersion = (typeof AVN_VERSIONS)[number]

export function avnFiles(version: AvnVersion): Fetched {
  return pythonProgram('aiven-client', version)
}

export interface Avn {
  /** `avn service …` of project `p`; a flag is one argument. Ends with what the command printed. */
  service(...args: readonly string[]): Promise<Run>
  /** As above with `--json`, parsed. Throws if the command fails. */
  json(...args: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>
}

export interface AvnOptions {
  /** Of the installed program. */
  readonly folder: string
  /** `http://host:port` of the service. */
  readonly base: string
  readonly token: string
  /** Holds its settings, of which it has none. */
  readonly settings: string
}

export function avn({ folder, base, token, settings }: AvnOptions): Avn {
  const service = (...args: readonly string[]) => {
    const environment = [`PYTHONPATH=${folder}`, `AIVEN_CONFIG_DIR=${join(settings, 'avn')}`]
    const program = ['python3', '-m', 'aiven.client', '--url', base, '--auth-token', token, 'service']
    return run('env', [...environment, ...program, ...args, '--project', 'p'])
  }
  return {
    service,
    async json(...args) {
      const { code, stdout, stderr } = await service(...args, '--json')
      if (code !== 0) throw new Error(`avn service ${args.join(' ')} ended with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
  }
}

/** A table as a user has it in mind. */
export interface AvnTable {
  readonly name: string
  readonly integration: string
  readonly schema: string
  readonly place: { readonly topic: string } | { readonly table: string }
}

/** Arguments after `flink table create SERVICE`: flags up to 2.15, one JSON document after it. */
export function tableArguments(
  version: AvnVersion,
  { name, integration, schema, place }: AvnTable,
): string[] {
  if (version === '2.15.0') {
    const flag = 'topic' in place ? ['--kafka-topic', place.topic] : ['--jdbc-table', place.table]
    return [integration, '--table-name', name, ...flag, '--schema-sql', schema]
  }
  const connector =
    'topic' in place
      ? { kafka: { topic: place.topic, scan_startup_mode: 'earliest-offset', value_format: 'json' } }
      : { jdbc: { table_name: place.table } }
  return [JSON.stringify({ name, integration_id: integration, ...connector, schema_sql: schema })]
}
