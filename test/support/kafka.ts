/**
 * Kafka clusters for tests, of one or three brokers on this machine, with data in a temporary folder. Tests that need no
 * cluster of their own share one: MILLRACE_TEST_KAFKA=127.0.0.1:9092 names it, and each test uses a topic prefix of its own.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerUse } from '../../bench/processes/kafka-jars.ts'
import { selfSigned } from './certificates.ts'
import { freePort } from './free-port.ts'
import { TestBroker } from './kafka-broker.ts'

export { fetchKafka } from '../../bench/processes/kafka-jars.ts'
export { SASL_USER } from './kafka-broker.ts'

export interface KafkaOptions {
  readonly brokers?: 1 | 3
  /** Adds listeners with TLS. Needs openssl. */
  readonly tls?: boolean
  /** Adds listeners with SASL, for SASL_USER. */
  readonly sasl?: boolean
  /** Further lines for server.properties. */
  readonly settings?: readonly string[]
  readonly use?: BrokerUse
}

interface Address {
  readonly host: string
  readonly port: number
}

export class TestKafka {
  /** Where clients without TLS and SASL connect: one address for each broker. */
  readonly addresses: readonly Address[]
  /** The processes; none of a cluster that is shared. */
  readonly brokers: readonly TestBroker[]
  /** The certificate of the TLS listeners, PEM; undefined without `tls`. */
  readonly certificate: Buffer | undefined
  readonly #folder: string | undefined

  private constructor(
    addresses: readonly Address[],
    brokers: readonly TestBroker[],
    certificate: Buffer | undefined,
    folder: string | undefined,
  ) {
    this.addresses = addresses
    this.brokers = brokers
    this.certificate = certificate
    this.#folder = folder
  }

  /** The cluster of MILLRACE_TEST_KAFKA; starts one broker if that is not set. `remove` when its tests are over. */
  static async shared(): Promise<TestKafka> {
    const { MILLRACE_TEST_KAFKA: named } = process.env
    if (!named) return TestKafka.start()
    const addresses = named.split(',').map((address) => {
      const [host = '', port] = address.split(':')
      return { host, port: Number(port) }
    })
    return new TestKafka(addresses, [], undefined, undefined)
  }

  /** Starts a cluster. Call `remove` when its tests are over. `fetchKafka` must have succeeded. */
  static async start(options: KafkaOptions = {}): Promise<TestKafka> {
    const { brokers: count = 1, tls = false, sasl = false, settings = [], use = 'tests' } = options
    const folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
    const identity = tls ? await selfSigned(folder, 'broker') : undefined
    const keyStore = identity && join(folder, 'keystore.pem')
    if (identity && keyStore)
      writeFileSync(keyStore, readFileSync(identity.key, 'utf8') + readFileSync(identity.certificate, 'utf8'))
    const ports = await distinctPorts(count)
    const voters = ports.map(({ controllerPort }, i) => `${i + 1}@127.0.0.1:${controllerPort}`).join(',')
    const brokers = ports.map(
      (own, i) =>
        new TestBroker({
          ...own,
          node: i + 1,
          folder: join(folder, `broker-${i + 1}`),
          voters,
          brokers: count,
          keyStore,
          sasl,
          settings,
          use,
        }),
    )
    const cluster = new TestKafka(
      brokers.map(({ port }) => ({ host: '127.0.0.1', port })),
      brokers,
      identity && readFileSync(identity.certificate),
      folder,
    )
    try {
      await Promise.all(brokers.map((broker) => broker.format()))
      await Promise.all(brokers.map((broker) => broker.start()))
    } catch (error) {
      await cluster.remove()
      throw error
    }
    return cluster
  }

  /** Port of the first broker. */
  get port(): number {
    return this.addresses[0]!.port
  }

  /** A topic prefix that no other test has. */
  newPrefix(): string {
    return `t${randomBytes(8).toString('hex')}`
  }

  /** Stops the only broker, or all, without ending them, until `continue`. */
  pause(): void {
    if (this.brokers.length === 0) throw new Error('a shared cluster is not paused: start one of your own')
    for (const broker of this.brokers) broker.pause()
  }

  continue(): void {
    for (const broker of this.brokers) broker.continue()
  }

  /** Ends the processes that were started, and removes their data. */
  async remove(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.kill()))
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function distinctPorts(brokers: number) {
  const ports = new Set<number>()
  while (ports.size < 5 * brokers) ports.add(await freePort())
  const all = [...ports]
  return Array.from({ length: brokers }, (_, i) => {
    const [port, controllerPort, tlsPort, saslPort, saslTlsPort] = all.slice(5 * i)
    return {
      port: port!,
      controllerPort: controllerPort!,
      tlsPort: tlsPort!,
      saslPort: saslPort!,
      saslTlsPort: saslTlsPort!,
    }
  })
}
