/**
 * A Kafka broker for tests, from Maven artifacts: Java and Maven are enough. The jars are kept in a cache folder outside of
 * the repository: KAFKA_JARS, or ~/.cache/millrace-kafka. Data is in a temporary folder.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'

const run = promisify(execFile)

const VERSION = '4.1.0'
const CACHE = join(process.env.KAFKA_JARS ?? join(homedir(), '.cache', 'millrace-kafka'), VERSION)

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>`

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

/** Fetches the jars if they are not in the cache. Returns why that is not possible; undefined: they are there. */
export async function fetchKafka(): Promise<string | undefined> {
  for (const tool of ['java', 'mvn']) {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' })
    } catch {
      return `${tool} is not installed`
    }
  }
  if (existsSync(CACHE)) return undefined
  mkdirSync(join(CACHE, '..'), { recursive: true })
  const folder = mkdtempSync(join(CACHE, '..', 'fetching-'))
  try {
    writeFileSync(join(folder, 'pom.xml'), POM)
    await run('mvn', ['-q', '-B', COPY, '-DincludeScope=runtime', '-DoutputDirectory=libs'], {
      cwd: folder,
      timeout: 600_000,
    })
    renameSync(join(folder, 'libs'), CACHE)
    return undefined
  } catch (error) {
    return existsSync(CACHE)
      ? undefined
      : `the jars of Kafka cannot be fetched: ${String(error).slice(0, 200)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const CONFIG = (folder: string, port: number, controllerPort: number) => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=${join(folder, 'data')}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
`

const JAVA = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const READY_MS = 120_000

export class TestKafka {
  readonly port: number
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.#folder = folder
    this.port = port
    this.#process = process
  }

  /** Starts a broker. Call `remove` when its tests are over. `fetchKafka` must have succeeded. */
  static async start(): Promise<TestKafka> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
    const [port, controllerPort] = [await freePort(), await freePort()]
    const config = join(folder, 'server.properties')
    writeFileSync(config, CONFIG(folder, port, controllerPort))
    const jars = readdirSync(CACHE).map((jar) => join(CACHE, jar))
    const java = [...JAVA, '-cp', jars.join(':')]
    await run('java', [
      ...java,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      'MkU3OEVBNTcwNTJENDM2Qg',
      '-c',
      config,
    ])
    const log = join(folder, 'log')
    const output = openSync(log, 'a')
    const broker = new TestKafka(
      folder,
      port,
      spawn('java', [...java, 'kafka.Kafka', config], { stdio: ['ignore', output, output] }),
    )
    const endMs = performance.now() + READY_MS
    while (!readFileSync(log, 'utf8').includes('Kafka Server started')) {
      if (performance.now() > endMs || broker.#process.exitCode !== null) {
        const text = readFileSync(log, 'utf8').slice(-2000)
        await broker.remove()
        throw new Error(`the broker did not start: ${text}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return broker
  }

  /** Stops the process without ending it, until `continue`. */
  pause(): void {
    this.#process.kill('SIGSTOP')
  }

  continue(): void {
    this.#process.kill('SIGCONT')
  }

  async remove(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    if (this.#process.exitCode === null && this.#process.kill('SIGKILL')) await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
