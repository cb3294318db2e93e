/** Authentication with user and password: PLAIN, or SCRAM (RFC 5802), which does not send the password. */
import type { KafkaSasl } from './access.ts'
import { KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import type { KafkaRequest } from './request.ts'
import { ScramClient } from './scram.ts'

const NAMES = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const

type Send = <R>(request: KafkaRequest<R>) => Promise<R>

interface SaslAnswer {
  readonly errorCode: number
  readonly bytes: Buffer
  readonly sessionMs: number
}

/**
 * Resolves with the time after which the broker closes the connection, in milliseconds; 0: never. Errors contain no text of
 * the broker, because it has seen the password.
 */
export async function authenticate(broker: string, sasl: KafkaSasl, send: Send): Promise<number> {
  const mechanism = NAMES[sasl.mechanism]
  const handshake = await send(handshakeOf(mechanism))
  if (handshake !== 0) throw refusal(`broker ${broker} does not offer the SASL mechanism ${mechanism}`)

  const step = async (bytes: Buffer): Promise<SaslAnswer> => {
    const answer = await send(authenticateOf(bytes))
    if (answer.errorCode === 0) return answer
    if (answer.errorCode === KAFKA_ERRORS.saslAuthenticationFailed) throw wrongPassword()
    throw new KafkaRequestError(
      'not-sent',
      `broker ${broker} answered the authentication with error ${answer.errorCode}`,
    )
  }
  const wrongPassword = () =>
    refusal(`broker ${broker} refuses the user or the password (SASL mechanism ${mechanism})`)

  if (sasl.mechanism === 'plain') {
    const { sessionMs } = await step(Buffer.from(`\0${sasl.username}\0${sasl.password}`))
    return sessionMs
  }
  const client = new ScramClient(sasl.mechanism, sasl.username, sasl.password)
  const first = await step(client.first())
  const final = await client.final(first.bytes)
  if (typeof final === 'string') throw refusal(`broker ${broker}: ${final}`)
  const last = await step(final)
  if (!client.isServer(last.bytes))
    throw refusal(
      `broker ${broker} does not know the password, as its answer shows: it may be another server`,
    )
  return last.sessionMs
}

function refusal(text: string): KafkaRequestError {
  return new KafkaRequestError('not-sent', text, { isLasting: true })
}

const handshakeOf = (mechanism: string): KafkaRequest<number> => ({
  api: 'SaslHandshake',
  write: (writer) => writer.shortString(mechanism),
  read(reader) {
    const errorCode = reader.int16()
    reader.rest()
    return errorCode
  },
})

const authenticateOf = (bytes: Buffer): KafkaRequest<SaslAnswer> => ({
  api: 'SaslAuthenticate',
  answerBytesMax: 64 * 1024,
  write: (writer) => writer.bytes(bytes).tags(),
  read(reader) {
    const errorCode = reader.int16()
    reader.nullableString()
    const answer = reader.nullableBytes() ?? Buffer.alloc(0)
    const sessionMs = reader.int64()
    reader.tags()
    return { errorCode, bytes: answer, sessionMs }
  },
})
