/** The client of SCRAM (RFC 5802) with SHA-256 or SHA-512: its two messages, and the check of the server's proof. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(pbkdf2)

const HASHES = {
  'scram-sha-256': { name: 'sha256', length: 32 },
  'scram-sha-512': { name: 'sha512', length: 64 },
} as const

/** As Kafka requires of its users. */
const ITERATIONS_MIN = 4_096
/** A second of processor time. A server must not be able to ask for more. */
const ITERATIONS_MAX = 1_000_000
const NONCE_BYTES = 18
/** No channel binding; in the second message as base64. */
const GS2_HEAD = 'n,,'

export class ScramClient {
  readonly #hash: (typeof HASHES)[keyof typeof HASHES]
  readonly #password: string
  readonly #nonce = randomBytes(NONCE_BYTES).toString('base64url')
  readonly #firstBare: string
  #serverSignature: Buffer | undefined

  constructor(mechanism: keyof typeof HASHES, username: string, password: string) {
    this.#hash = HASHES[mechanism]
    this.#password = password
    this.#firstBare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`
  }

  first(): Buffer {
    return Buffer.from(GS2_HEAD + this.#firstBare)
  }

  /** The second message; or why the server's first one is not accepted. */
  async final(serverFirst: Buffer): Promise<Buffer | string> {
    const text = serverFirst.toString()
    const { r: nonce, s: salt, i: iterationsText } = attributesOf(text)
    const iterations = Number(iterationsText)
    if (nonce === undefined || salt === undefined || !nonce.startsWith(this.#nonce))
      return 'its message of SCRAM is malformed'
    if (!Number.isInteger(iterations) || iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX)
      return `SCRAM with ${ITERATIONS_MIN} to ${ITERATIONS_MAX} iterations is accepted, the broker wants another number`
    const { name, length } = this.#hash
    const salted = await derive(this.#password, Buffer.from(salt, 'base64'), iterations, length, name)
    const withoutProof = `c=${Buffer.from(GS2_HEAD).toString('base64')},r=${nonce}`
    const signed = `${this.#firstBare},${text},${withoutProof}`
    const clientKey = this.#hmac(salted, 'Client Key')
    const storedKey = createHash(name).update(clientKey).digest()
    const signature = this.#hmac(storedKey, signed)
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!)
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), signed)
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
  }

  /** Whether the server's second message proves that it knows the password. */
  isServer(serverFinal: Buffer): boolean {
    const { v: signature = '' } = attributesOf(serverFinal.toString())
    const bytes = Buffer.from(signature, 'base64')
    const expected = this.#serverSignature
    return expected !== undefined && bytes.length === expected.length && timingSafeEqual(bytes, expected)
  }

  #hmac(key: Uint8Array, text: string): Buffer {
    return createHmac(this.#hash.name, key).update(text).digest()
  }
}

/** `r=…,s=…,i=…` by letter. */
function attributesOf(text: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]))
}
