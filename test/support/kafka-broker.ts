/** One process of a Kafka broker, which is also a controller. It can be killed, paused, and started again on the same data. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BrokerUse, kafkaJava } from '../../bench/processes/kafka-jars.ts'

const run = promisify(execFile)

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'
const READY_MS = 300_000

/** The user of the SASL listeners. */
export const SASL_USER = { username: 'millrace', password: 'millrace-secret' } as const

export interface BrokerPorts {
  /** Without TLS and SASL. */
  readonly port: number
  readonly controllerPort: number
  /** TLS, without SASL. */
  readonly tlsPort: number
  /** SASL without TLS: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly saslPort: number
  readonly saslTlsPort: number
}

export interface BrokerOptions extends BrokerPorts {
  readonly node: number
  /** Of this broker alone. */
  readonly folder: string
  readonly voters: string
  /** Number of brokers in the cluster. */
  readonly brokers: number
  /** PEM file with key and certificate; undefined: there is no TLS listener. */
  readonly keyStore: string | undefined
  readonly sasl: boolean
  /** Further lines for server.properties. */
  readonly settings: readonly string[]
  readonly use: BrokerUse
}

export class TestBroker {
  readonly node: number
  readonly port: number
  readonly tlsPort: number
  readonly saslPort: number
  readonly saslTlsPort: number
  readonly #config: string
  readonly #log: string
  readonly #hasSasl: boolean
  readonly #use: BrokerUse
  #process: ChildProcess | undefined
  #starts = 0

  constructor(options: BrokerOptions) {
    const { node, port, tlsPort, saslPort, saslTlsPort, folder, sasl } = options
    this.node = node
    this.port = port
    this.tlsPort = tlsPort
    this.saslPort = saslPort
    this.saslTlsPort = saslTlsPort
    this.#hasSasl = sasl
    this.#use = options.use
    mkdirSync(folder, { recursive: true })
    this.#config = join(folder, 'server.properties')
    this.#log = join(folder, 'log')
    writeFileSync(this.#config, propertiesOf(options))
  }

  /** The id of the process; undefined while none runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Makes its data folder. Once, before the first `start`. */
  async format(): Promise<void> {
    const { username, password } = SASL_USER
    const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ])
    const users = this.#hasSasl ? scram : []
    await run('java', [
      ...[...kafkaJava(), 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', this.#config],
      ...users,
    ])
  }

  /** Starts the process, again after `kill`. Resolves when the broker is ready; three become ready only together. */
  async start(): Promise<void> {
    const output = openSync(this.#log, 'a')
    const child = spawn('java', [...kafkaJava(this.#use), 'kafka.Kafka', this.#config], {
      stdio: ['ignore', output, output],
    })
    this.#process = child
    this.#starts++
    const endMs = performance.now() + READY_MS
    while (readFileSync(this.#log, 'utf8').split('Kafka Server started').length <= this.#starts) {
      if (performance.now() > endMs || child.exitCode !== null || child.signalCode !== null) {
        const text = readFileSync(this.#log, 'utf8').slice(-2000)
        await this.kill()
        throw new Error(`the broker did not start: ${text}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Stops the process without ending it, until `continue`. */
  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  continue(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Ends the process at once; its data stays. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Lets the broker hand over its partitions, then ends it. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.kill(signal)) await ended
    // Kafka writes this line again at each start; a start that was cut short has none.
    this.#starts = readFileSync(this.#log, 'utf8').split('Kafka Server started').length - 1
  }
}

function propertiesOf(options: BrokerOptions): string {
  const { node, folder, voters, brokers, keyStore, sasl, settings } = options
  const listeners = listenersOf(options)
  const replicas = brokers > 1 ? 3 : 1
  const inSync = brokers > 1 ? 2 : 1
  const { username, password } = SASL_USER
  const saslLines = ['sasl_plaintext', 'sasl_ssl'].flatMap((listener) => [
    `listener.name.${listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
    `listener.name.${listener}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`,
    `listener.name.${listener}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`,
  ])
  return [
    'process.roles=broker,controller',
    `node.id=${node}`,
    `controller.quorum.voters=${voters}`,
    'controller.listener.names=CONTROLLER',
    `listeners=${[...listeners, ['CONTROLLER', options.controllerPort] as const].map(urlOf).join(',')}`,
    `advertised.listeners=${listeners.map(urlOf).join(',')}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${join(folder, 'data')}`,
    'auto.create.topics.enable=false',
    'num.partitions=1',
    `default.replication.factor=${replicas}`,
    `min.insync.replicas=${inSync}`,
    'unclean.leader.election.enable=false',
    `offsets.topic.replication.factor=${replicas}`,
    'offsets.topic.num.partitions=1',
    `transaction.state.log.replication.factor=${replicas}`,
    `transaction.state.log.min.isr=${inSync}`,
    'transaction.state.log.num.partitions=2',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms=1000',
    `share.coordinator.state.topic.replication.factor=${replicas}`,
    'share.coordinator.state.topic.num.partitions=1',
    'group.initial.rebalance.delay.ms=0',
    'broker.session.timeout.ms=6000', // 9 s by default; failover takes less time so
    'initial.broker.registration.timeout.ms=240000', // 60 s by default, which a busy machine may need for the start
    'log.segment.delete.delay.ms=1000',
    'log.index.size.max.bytes=1048576',
    'num.network.threads=2',
    'num.io.threads=4',
    'log.cleaner.dedupe.buffer.size=16777216',
    ...(keyStore === undefined ? [] : ['ssl.keystore.type=PEM', `ssl.keystore.location=${keyStore}`]),
    ...(sasl ? ['sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512', ...saslLines] : []),
    ...settings,
    '',
  ].join('\n')
}

type Listener = readonly [name: string, port: number]

function listenersOf({ port, tlsPort, saslPort, saslTlsPort, keyStore, sasl }: BrokerOptions): Listener[] {
  const listeners: Listener[] = [['PLAINTEXT', port]]
  if (keyStore !== undefined) listeners.push(['SSL', tlsPort])
  if (sasl) listeners.push(['SASL_PLAINTEXT', saslPort])
  if (sasl && keyStore !== undefined) listeners.push(['SASL_SSL', saslTlsPort])
  return listeners
}

const urlOf = ([name, port]: Listener) => `${name}://127.0.0.1:${port}`
