/** Brokers that do not answer, answer late, or answer something else: every call ends in time, and nothing else breaks. */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS, type KafkaAccess } from '../../../../storage/kafka/access.ts'
import { KafkaCluster } from '../../../../storage/kafka/cluster.ts'
import { KafkaRequestError } from '../../../../storage/kafka/error-codes.ts'
import { APIS } from '../../../../storage/kafka/request.ts'
import { endTxn } from '../../../../storage/kafka/transaction-requests.ts'
import { freePort } from '../../../support/free-port.ts'
import { AnswerWriter, metadataAnswer, versionsAnswer } from '../../../support/kafka-answers.ts'
import { answerFrame, ScriptedBroker, type ScriptedRequest } from '../../../support/scripted-broker.ts'

const LIMITS = { connectMs: 2_000, requestMs: 600, metadataAgeMs: 60_000 }
const LONG = { ...LIMITS, connectMs: 20_000, requestMs: 20_000 }
const END = { transactionalId: 't', producerId: 5, epoch: 0, commit: true }
const SECRET = 'hunter2-secret'

let broker: ScriptedBroker
let cluster: KafkaCluster | undefined

beforeEach(async () => {
  broker = await ScriptedBroker.start()
  cluster = undefined
})
afterEach(async () => {
  await cluster?.close()
  await broker.close()
})

const access = (more: Partial<KafkaAccess> = {}): KafkaAccess => ({
  brokers: [{ host: '127.0.0.1', port: broker.port }],
  ...more,
})
const open = async (limits = LIMITS, more: Partial<KafkaAccess> = {}) => {
  cluster = await KafkaCluster.open(access(more), limits)
  return cluster
}
const problemOf = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(KafkaRequestError)
  const { outcome, isLasting, message } = error as KafkaRequestError
  return { outcome, isLasting, message }
}
const ended = () => new AnswerWriter().int32(0).int16(0).tags().body

test('requests are answered in order on one connection for each purpose', async () => {
  const cluster = await open(LONG)
  broker.on('EndTxn', () => ended())
  await Promise.all(Array.from({ length: 20 }, () => endTxn(cluster, 1, END)))
  expect(broker.connections).toBe(2) // to the address of the configuration, and to the broker as it names itself
})

describe('an answer that does not fit', () => {
  const frame = (request: ScriptedRequest) => answerFrame('EndTxn', request.correlation, ended())
  const answers: { name: string; answer: (request: ScriptedRequest) => Buffer; text: RegExp }[] = [
    {
      name: 'the number of another request',
      answer: (r) => frame({ ...r, correlation: 77 }),
      text: /answer to request 77/,
    },
    { name: 'a negative length', answer: () => Buffer.from('ffffffff', 'hex'), text: /has -1 bytes/ },
    { name: 'a length of zero', answer: () => Buffer.alloc(8), text: /has 0 bytes/ },
    {
      name: 'a length of 2 GB',
      answer: () => Buffer.from('7fffffff00000000', 'hex'),
      text: /of at most 33554432/,
    },
    {
      name: 'an HTTP answer',
      answer: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
      text: /bytes, of at most/,
    },
    {
      name: 'a byte too much',
      answer: ({ correlation }) =>
        answerFrame('EndTxn', correlation, Buffer.concat([ended(), Buffer.from([0])])),
      text: /1 bytes are left over/,
    },
    {
      name: 'a byte too few',
      answer: ({ correlation }) => answerFrame('EndTxn', correlation, ended().subarray(0, -1)),
      text: /ends 1 bytes too early/,
    },
    {
      name: 'a count of tagged fields without them',
      answer: ({ correlation }) =>
        answerFrame('EndTxn', correlation, Buffer.from('000000000000ffffffff0f', 'hex')),
      text: /tagged fields are in 0 bytes/,
    },
    {
      name: 'an answer twice',
      answer: (r) => Buffer.concat([frame(r), frame(r)]),
      text: /answer to request|without a request/,
    },
  ]

  test.each(answers)(
    'with $name is malformed, and its connection is closed',
    async ({ name, answer, text }) => {
      const cluster = await open(LONG)
      broker.on('EndTxn', (request) => ({ raw: answer(request) }))
      // Of an answer that comes twice the first one is right.
      const first = name === 'an answer twice' ? [await endTxn(cluster, 1, END)] : []
      expect(first).toEqual(first.map(() => ({ errorCode: 0 })))
      if (first.length === 0) {
        const problem = await problemOf(endTxn(cluster, 1, END))
        expect(problem).toMatchObject({ outcome: 'malformed', isLasting: false })
        expect(problem.message).toMatch(text)
      }
      broker.on('EndTxn', () => ended())
      await expect.poll(() => broker.open).toBe(1)
      expect(await endTxn(cluster, 1, END)).toEqual({ errorCode: 0 })
    },
  )

  test('whose bytes are random never does more than reject', async () => {
    const cluster = await open(LONG)
    for (let i = 0; i < 40; i++) {
      const bytes = randomBytes(1 + (i % 40))
      if (i % 2 === 0) broker.on('EndTxn', ({ correlation }) => answerFrame('EndTxn', correlation, bytes))
      else broker.on('EndTxn', () => ({ raw: Buffer.concat([Buffer.from([0x7f]), bytes, Buffer.alloc(4)]) }))
      const outcome = await endTxn(cluster, 1, END).then(
        () => 'malformed',
        (error: KafkaRequestError) => error.outcome,
      )
      expect(outcome).toBe('malformed')
    }
  })

  test('loses the requests behind it', async () => {
    const cluster = await open(LONG)
    broker.on('EndTxn', () => ({ raw: Buffer.from('ffffffff', 'hex') }))
    const problems = await Promise.all([1, 2, 3].map(() => problemOf(endTxn(cluster, 1, END))))
    expect(problems.map(({ outcome }) => outcome)).toEqual(['malformed', 'lost', 'lost'])
  })
})

test('a request without an answer is lost after its time limit, and its connection is closed', async () => {
  const cluster = await open()
  broker.on('EndTxn', () => 'silence')
  const beginMs = performance.now()
  const problem = await problemOf(endTxn(cluster, 1, { ...END, timeoutMs: 100 }))
  expect(problem).toEqual({
    outcome: 'lost',
    isLasting: false,
    message: `broker 127.0.0.1:${broker.port} did not answer EndTxn within 100 ms`,
  })
  expect(performance.now() - beginMs).toBeLessThan(2_000)
  await expect.poll(() => broker.open).toBe(1)
})

test('a request whose connection is cut is lost', async () => {
  const cluster = await open()
  broker.on('EndTxn', () => 'cut')
  expect(await problemOf(endTxn(cluster, 1, END))).toMatchObject({ outcome: 'lost' })
})

test('a request that its caller gives up is lost at once', async () => {
  const cluster = await open(LONG)
  broker.on('Metadata', () => 'silence')
  const controller = new AbortController()
  const call = problemOf(
    cluster.send(
      1,
      'fetch',
      { api: 'EndTxn', write: (w) => w, read: () => 0 },
      { signal: controller.signal },
    ),
  )
  await expect.poll(() => broker.requests.at(-1)?.api).toBe('EndTxn')
  controller.abort()
  expect(await call).toMatchObject({ outcome: 'lost' })
})

test('requests under way are lost when the cluster is closed, later ones are not sent', async () => {
  const cluster = await open(LONG)
  broker.on('EndTxn', () => 'silence')
  const call = problemOf(endTxn(cluster, 1, END))
  await expect.poll(() => broker.requests.at(-1)?.api).toBe('EndTxn')
  await cluster.close()
  expect(await call).toMatchObject({ outcome: 'lost' })
  expect(await problemOf(endTxn(cluster, 1, END))).toMatchObject({ outcome: 'not-sent' })
})

test('a broker that is not in the cluster gets nothing', async () => {
  const cluster = await open()
  expect(await problemOf(endTxn(cluster, 9, END))).toEqual({
    outcome: 'not-sent',
    isLasting: false,
    message: 'broker 9 is not in the cluster now',
  })
})

describe('opening', () => {
  test('a port without a broker', async () => {
    const port = await freePort()
    const problem = await problemOf(KafkaCluster.open({ brokers: [{ host: '127.0.0.1', port }] }, LIMITS))
    expect(problem).toMatchObject({ outcome: 'not-sent', isLasting: false })
    expect(problem.message).toContain(`no connection to 127.0.0.1:${port}: connect ECONNREFUSED`)
  })

  test('the second broker is asked when the first is not there', async () => {
    const port = await freePort()
    cluster = await KafkaCluster.open(
      access({
        brokers: [
          { host: '127.0.0.1', port },
          { host: '127.0.0.1', port: broker.port },
        ],
      }),
      LIMITS,
    )
    expect(cluster.nodes()).toEqual([1])
  })

  test('a server that accepts and says nothing', async () => {
    broker.on('ApiVersions', () => 'silence')
    const beginMs = performance.now()
    expect(await problemOf(open({ ...LIMITS, connectMs: 200 }))).toMatchObject({ outcome: 'not-sent' })
    expect(performance.now() - beginMs).toBeLessThan(3_000)
  })

  const versions = [
    {
      name: 'an older Fetch',
      range: [1, 4, 11],
      text: 'Fetch version 12 is needed, the broker has versions 4 to 11',
    },
    {
      name: 'a newer Produce',
      range: [0, 10, 15],
      text: 'Produce version 9 is needed, the broker has versions 10 to 15',
    },
    {
      name: 'no transactions',
      range: [26, -1, -1],
      text: 'EndTxn version 3 is needed, the broker does not have it',
    },
  ] as const
  test.each(versions)('a broker with $name is refused for good', async ({ range, text }) => {
    const [key, min, max] = range
    broker.on('ApiVersions', () =>
      versionsAnswer([
        ...Object.values(APIS)
          .filter((api) => api.key !== key)
          .map((api) => [api.key, 0, 99] as const),
        ...(min < 0 ? [] : [[key, min, max] as const]),
      ]),
    )
    expect(await problemOf(open())).toEqual({
      outcome: 'not-sent',
      isLasting: true,
      message: `broker 127.0.0.1:${broker.port}: ${text}; use Kafka 3.1 or later`,
    })
  })

  test('a broker that does not know how to list its versions is refused for good', async () => {
    broker.on('ApiVersions', () => Buffer.from('00230000000100120000000300', 'hex'))
    expect(await problemOf(open())).toMatchObject({ outcome: 'not-sent', isLasting: true })
  })
})

describe('authentication', () => {
  const handshake = (errorCode = 0) => {
    const bytes = Buffer.alloc(6)
    bytes.writeInt16BE(errorCode)
    return bytes
  }
  const step = (errorCode: number, message: string | null, bytes: Buffer) =>
    new AnswerWriter().int16(errorCode).string(message).bytes(bytes).int64(0).tags().body
  const openWith = (mechanism: 'plain' | 'scram-sha-256') =>
    problemOf(open(LIMITS, { sasl: { mechanism, username: 'u', password: SECRET } }))

  test('a mechanism that the broker lacks', async () => {
    broker.on('SaslHandshake', () => handshake(33))
    expect(await openWith('scram-sha-256')).toEqual({
      outcome: 'not-sent',
      isLasting: true,
      message: `broker 127.0.0.1:${broker.port} does not offer the SASL mechanism SCRAM-SHA-256`,
    })
  })

  test('a broker that repeats the password in its refusal: it is in no message', async () => {
    broker.on('SaslHandshake', () => handshake())
    broker.on('SaslAuthenticate', () => step(58, `wrong: ${SECRET}`, Buffer.alloc(0)))
    const problem = await openWith('plain')
    expect(problem).toMatchObject({ outcome: 'not-sent', isLasting: true })
    expect(JSON.stringify(problem)).not.toContain(SECRET)
  })

  const firstMessages = [
    { name: 'nothing', text: () => '', problem: /malformed/ },
    { name: 'words', text: () => 'hello, world', problem: /malformed/ },
    { name: 'the nonce of another client', text: () => 'r=other,s=YQ==,i=4096', problem: /malformed/ },
    { name: 'one iteration', text: (nonce: string) => `r=${nonce}x,s=YQ==,i=1`, problem: /another number/ },
    {
      name: 'iterations for hours',
      text: (nonce: string) => `r=${nonce}x,s=YQ==,i=2147483647`,
      problem: /another number/,
    },
    {
      name: 'words for a number',
      text: (nonce: string) => `r=${nonce}x,s=YQ==,i=many`,
      problem: /another number/,
    },
  ]
  test.each(firstMessages)('SCRAM with $name is refused', async ({ text, problem }) => {
    broker.on('SaslHandshake', () => handshake())
    broker.on('SaslAuthenticate', ({ body }) => {
      const [, nonce = ''] = /r=([\w-]+)/.exec(body.toString('latin1')) ?? []
      return step(0, null, Buffer.from(text(nonce)))
    })
    const refused = await openWith('scram-sha-256')
    expect(refused).toMatchObject({ outcome: 'not-sent', isLasting: true })
    expect(refused.message).toMatch(problem)
  })

  test('a server that accepts every password, but cannot prove that it knows it, is refused', async () => {
    broker.on('SaslHandshake', () => handshake())
    let steps = 0
    broker.on('SaslAuthenticate', ({ body }) => {
      const [, nonce = ''] = /r=([\w-]+)/.exec(body.toString('latin1')) ?? []
      return step(0, null, Buffer.from(steps++ % 2 === 0 ? `r=${nonce}x,s=YQ==,i=4096` : 'v=YWJj'))
    })
    expect((await openWith('scram-sha-256')).message).toMatch(/does not know the password/)
  })
})

describe('metadata', () => {
  test('callers of one moment share a request, and topics are remembered until a refresh', async () => {
    const cluster = await open(LONG)
    broker.on('Metadata', () =>
      metadataAnswer(
        [broker.self],
        [{ topic: 'a' }, { topic: 'b', leader: -1 }, { topic: 'c', errorCode: 3 }],
      ),
    )
    const before = broker.requests.length
    const leaders = await Promise.all(['a', 'b', 'c', 'a'].map((topic) => cluster.leader(topic)))
    expect(leaders).toEqual([{ node: 1, epoch: 7 }, undefined, undefined, { node: 1, epoch: 7 }])
    const asked = () => broker.requests.slice(before).filter(({ api }) => api === 'Metadata').length
    expect(asked()).toBe(1)
    await cluster.leader('a')
    expect(asked()).toBe(1)
    await cluster.leader('a', { refresh: true })
    expect(asked()).toBe(2)
  })

  test('a refresh does not count what was asked before it', async () => {
    const cluster = await open(LONG)
    let leader = 1
    broker.on('Metadata', () => metadataAnswer([broker.self], [{ topic: 'a', leader: leader++ }]))
    const [first, second] = await Promise.all([
      cluster.leader('a', { refresh: true }),
      Promise.resolve().then(async () => {
        await expect.poll(() => broker.requests.length).toBeGreaterThan(2)
        return cluster.leader('a', { refresh: true })
      }),
    ])
    expect([first?.node, second?.node]).toEqual([1, 2])
  })

  test('a broker that does not answer is passed over', async () => {
    const other = await ScriptedBroker.start()
    other.on('Metadata', () =>
      metadataAnswer([broker.self, { ...other.self, node: 2 }], [{ topic: 'a', leader: 2 }]),
    )
    broker.on('Metadata', () => metadataAnswer([broker.self, { ...other.self, node: 2 }]))
    const cluster = await open(CLUSTER_LIMITS)
    broker.on('Metadata', () => 'cut')
    expect(await cluster.leader('a')).toEqual({ node: 2, epoch: 7 })
    await other.close()
  })

  test('a broker that moved is asked at its new address', async () => {
    const cluster = await open(LONG)
    const other = await ScriptedBroker.start()
    other.on('EndTxn', () => ended())
    broker.on('EndTxn', () => 'cut')
    broker.on('Metadata', () => metadataAnswer([{ ...other.self, node: 1 }]))
    await cluster.controller({ refresh: true })
    expect(await endTxn(cluster, 1, END)).toEqual({ errorCode: 0 })
    await other.close()
  })
})
