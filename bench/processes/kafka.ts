/** One broker of Kafka for a suite: started when a case first needs it, its data in a temporary folder. */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { makeTempFolder, removeFolder } from '../cleanup.ts'
import { freePort } from '../peers/free-port.ts'
import { ChildServer } from './child-server.ts'
import { fetchKafka, kafkaJava } from './kafka-jars.ts'

const run = promisify(execFile)

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'
/** A virtual machine on a processor that has other work takes a minute. */
const START_MS_MAX = 240_000
const STOP_MS_MAX = 60_000
const POLL_MS = 100
/** Characters of the log of a broker in an error. */
const PRINTED_MAX = 2_000

interface Running {
  readonly port: number
  readonly folder: string
  readonly server: ChildServer
}

export class KafkaBroker {
  #running: Promise<Running> | undefined
  #missing: Promise<string | undefined> | undefined

  /** Why there is none here; undefined if there is one. */
  unavailable(): Promise<string | undefined> {
    this.#missing ??= fetchKafka()
    return this.#missing
  }

  /** `127.0.0.1:port`. */
  async address(): Promise<string> {
    this.#running ??= start()
    const { port } = await this.#running
    return `127.0.0.1:${port}`
  }

  /** Flags of a service for a store of its own. */
  async newStore(): Promise<KafkaPlace> {
    const prefix = `bench-${randomBytes(6).toString('hex')}`
    const flags = ['--log', `kafka://${await this.address()}`, '--kafka-prefix', prefix, '--insecure-kafka']
    return { prefix, flags }
  }

  async stop(): Promise<void> {
    const running = await this.#running?.catch(() => undefined)
    this.#running = undefined
    if (running === undefined) return
    await running.server.stop(STOP_MS_MAX)
    removeFolder(running.folder)
  }
}

export interface KafkaPlace {
  /** Names of its topics begin with it and a dot. */
  readonly prefix: string
  readonly flags: readonly string[]
}

async function start(): Promise<Running> {
  const folder = makeTempFolder(tmpdir())
  const [port, controllerPort] = [await freePort(), await freePort()]
  const config = join(folder, 'server.properties')
  writeFileSync(config, propertiesOf(folder, port, controllerPort))
  await run('java', [
    ...kafkaJava('tests'),
    'kafka.tools.StorageTool',
    'format',
    '-t',
    CLUSTER_ID,
    '-c',
    config,
  ])
  const printed = join(folder, 'log')
  const log = openSync(printed, 'w')
  const words = [...kafkaJava('measurements'), 'kafka.Kafka', config]
  const child = spawn('java', words, { stdio: ['ignore', log, log], cwd: folder })
  closeSync(log)
  const last = () => (existsSync(printed) ? readFileSync(printed, 'utf8').slice(-PRINTED_MAX) : '')
  const server = new ChildServer(child, 'broker of Kafka', last)
  try {
    await server.whileRunning(started(printed))
  } catch (error) {
    await server.stop(STOP_MS_MAX)
    throw error
  }
  return { port, folder, server }
}

async function started(log: string): Promise<void> {
  const endMs = performance.now() + START_MS_MAX
  while (!readFileSync(log, 'utf8').includes('Kafka Server started')) {
    if (performance.now() > endMs) throw new Error(`the broker of Kafka did not start in ${START_MS_MAX} ms`)
    await sleep(POLL_MS)
  }
}

function propertiesOf(folder: string, port: number, controllerPort: number): string {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    `log.dirs=${join(folder, 'data')}`,
    'auto.create.topics.enable=false',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.num.partitions=1',
    'group.initial.rebalance.delay.ms=0',
    '',
  ].join('\n')
}
