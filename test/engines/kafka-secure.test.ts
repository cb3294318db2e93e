/** TLS and SASL against a real broker: what is accepted, what is refused, and what a refusal says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS, type KafkaSasl, type KafkaTls } from '../../storage/kafka/access.ts'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { KafkaRequestError } from '../../storage/kafka/error-codes.ts'
import { listOffsets } from '../../storage/kafka/list-offsets.ts'
import { createTopics } from '../../storage/kafka/topic-requests.ts'
import { opensslProblem } from '../support/certificates.ts'
import { fetchKafka, SASL_USER, TestKafka } from '../support/kafka.ts'

const missing = (await fetchKafka()) ?? (await opensslProblem())

const LIMITS = { ...CLUSTER_LIMITS, connectMs: 20_000, requestMs: 20_000 }
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
const WRONG = 'a-wrong-password'

describe.skipIf(missing !== undefined)(`TLS and SASL (${missing ?? 'a broker of its own'})`, () => {
  let kafka: TestKafka

  beforeAll(async () => {
    // A session of SASL ends after 15 s, so that one test sees it replaced.
    kafka = await TestKafka.start({ tls: true, sasl: true, settings: ['connections.max.reauth.ms=15000'] })
  }, 240_000)
  afterAll(() => kafka?.remove())

  const open = (port: number, access: { readonly tls?: KafkaTls; readonly sasl?: KafkaSasl }) =>
    KafkaCluster.open({ brokers: [{ host: '127.0.0.1', port }], ...access }, LIMITS)

  const refusal = async (port: number, access: { readonly tls?: KafkaTls; readonly sasl?: KafkaSasl }) => {
    const error = await open(port, access).then(
      async (cluster) => {
        await cluster.close()
        return new Error('it was accepted')
      },
      (error: unknown) => error as Error,
    )
    expect(error).toBeInstanceOf(KafkaRequestError)
    const { outcome, isLasting, message } = error as KafkaRequestError
    return { outcome, isLasting, message }
  }

  /** Makes a topic and finds its leader, which takes connections to the broker as the broker names itself. */
  async function use(cluster: KafkaCluster): Promise<void> {
    const topic = `secure.${kafka.newPrefix()}`
    const [created] = await createTopics(cluster, {
      topics: [{ topic, replicas: -1, settings: {} }],
      timeoutMs: 20_000,
    })
    expect(created).toEqual({ topic, errorCode: 0, message: undefined })
    await expect.poll(() => cluster.leader(topic, { refresh: true })).toMatchObject({ node: 1 })
  }

  test('TLS with the certificate that is trusted', async () => {
    const cluster = await open(kafka.brokers[0]!.tlsPort, { tls: { ca: kafka.certificate! } })
    await use(cluster)
    await cluster.close()
  })

  test('TLS with a certificate that is not trusted is refused for good', async () => {
    expect(await refusal(kafka.brokers[0]!.tlsPort, { tls: {} })).toEqual({
      outcome: 'not-sent',
      isLasting: true,
      message: `no connection to 127.0.0.1:${kafka.brokers[0]!.tlsPort}: self-signed certificate`,
    })
  })

  test('TLS without a listener for it is refused', async () => {
    expect(await refusal(kafka.port, { tls: { ca: kafka.certificate! } })).toMatchObject({
      outcome: 'not-sent',
    })
  })

  test('a connection without TLS to a listener with it is refused', async () => {
    expect(await refusal(kafka.brokers[0]!.tlsPort, {})).toMatchObject({ outcome: 'not-sent' })
  })

  describe.each(MECHANISMS)('%s', (mechanism) => {
    test.each([
      { name: 'without TLS', isEncrypted: false },
      { name: 'with TLS', isEncrypted: true },
    ])('the user with the right password, $name', async ({ isEncrypted }) => {
      const { saslPort, saslTlsPort } = kafka.brokers[0]!
      const cluster = await open(isEncrypted ? saslTlsPort : saslPort, {
        sasl: { mechanism, ...SASL_USER },
        ...(isEncrypted && { tls: { ca: kafka.certificate! } }),
      })
      await use(cluster)
      await cluster.close()
    })

    test.each([
      { name: 'a wrong password', user: { ...SASL_USER, password: WRONG } },
      { name: 'a user that does not exist', user: { username: 'a,b=c', password: WRONG } },
    ])('$name is refused for good, and no message has the password', async ({ user }) => {
      const { saslPort } = kafka.brokers[0]!
      const problem = await refusal(saslPort, { sasl: { mechanism, ...user } })
      expect(problem).toEqual({
        outcome: 'not-sent',
        isLasting: true,
        message: `broker 127.0.0.1:${saslPort} refuses the user or the password (SASL mechanism ${mechanism.toUpperCase()})`,
      })
    })
  })

  test('a connection whose session ends is replaced, and no request is lost', async () => {
    const cluster = await open(kafka.brokers[0]!.saslPort, {
      sasl: { mechanism: 'scram-sha-256', ...SASL_USER },
    })
    const parts = [{ topic: `secure.${kafka.newPrefix()}`, at: 'latest' }] as const
    const endMs = performance.now() + 20_000
    while (performance.now() < endMs) {
      // A request to one broker is sent once.
      expect(await listOffsets(cluster, 1, { parts, isolation: 'committed' })).toMatchObject([
        { errorCode: 3 },
      ])
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    await cluster.close()
  })
})
