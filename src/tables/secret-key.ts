/**
 * Encryption of secrets at rest: AES-256-GCM with the key in `<data>/secret.key`.
 *
 *   key file:   64 hexadecimal digits and a line end, mode 0600, made when it is needed first
 *   sealed:     'v1.' | key id, 8 hexadecimal digits | '.' | base64url of nonce (12 bytes), content, tag (16 bytes)
 *
 * The owner of a sealed text is authenticated with it, so that a text cannot be moved to another document. The key id is the
 * start of the key's SHA-256; it shows which key a text needs.
 */
import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../../storage/sync-folder.ts'

export const SECRET_KEY_FILE = 'secret.key'
const MODE = 0o600
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SEALED = /^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/

/**
 * A text cannot be sealed or read. The message is one sentence that clients see: it names the key file without its folder, and
 * has no secret in it.
 */
export class SecretProblem extends Error {
  override readonly name = 'SecretProblem'
}

interface Key {
  readonly id: string
  readonly bytes: Buffer
}

export class SecretKey {
  readonly path: string
  /** The key, or why there is none. */
  #key: Key | SecretProblem

  private constructor(path: string, key: Key | SecretProblem) {
    this.path = path
    this.#key = key
  }

  /** Never rejects: a file that cannot be used is a problem of the texts that need it. */
  static async load(dataFolder: string): Promise<SecretKey> {
    const path = join(dataFolder, SECRET_KEY_FILE)
    return new SecretKey(path, await readKey(path))
  }

  /** Why no text can be read; undefined if there is a key. */
  get problem(): SecretProblem | undefined {
    return this.#key instanceof SecretProblem ? this.#key : undefined
  }

  /** Makes the key file if there is none. Rejects with SecretProblem if the file is there and cannot be used. */
  async seal(text: string, owner: string): Promise<string> {
    const { id, bytes } = await this.#usableKey()
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', bytes, nonce).setAAD(Buffer.from(owner))
    const content = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `v1.${id}.${content.toString('base64url')}`
  }

  /** Throws SecretProblem. */
  unseal(sealed: string, owner: string): string {
    const [, keyId, content] = SEALED.exec(sealed) ?? []
    if (keyId === undefined || content === undefined) throw new SecretProblem('the stored secret is damaged')
    if (this.#key instanceof SecretProblem) throw this.#key
    if (keyId !== this.#key.id)
      throw new SecretProblem('it was encrypted with another key than that of secret.key')
    const bytes = Buffer.from(content, 'base64url')
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key.bytes, bytes.subarray(0, NONCE_BYTES))
      decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(-TAG_BYTES))
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch (cause) {
      throw new SecretProblem('the stored secret is damaged', { cause })
    }
  }

  async #usableKey(): Promise<Key> {
    if (this.#key instanceof MissingKey) this.#key = await makeKey(this.path)
    if (this.#key instanceof SecretProblem) throw this.#key
    return this.#key
  }
}

class MissingKey extends SecretProblem {}

async function readKey(path: string): Promise<Key | SecretProblem> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT')
      return new MissingKey('key file secret.key is missing')
    return new SecretProblem(`key file secret.key cannot be read: ${reasonOf(cause)}`, { cause })
  }
  if (/^[0-9a-f]{64}\s*$/.test(text)) return keyOf(Buffer.from(text.trim(), 'hex'))
  return new SecretProblem('key file secret.key is not 64 hexadecimal digits')
}

function keyOf(bytes: Buffer): Key {
  return { id: hash('sha256', bytes, 'hex').slice(0, 8), bytes }
}

/** The file is complete when it appears, and is never replaced: of two processes that make it, both get the first one's. */
async function makeKey(path: string): Promise<Key | SecretProblem> {
  const bytes = randomBytes(KEY_BYTES)
  const partial = `${path}.${randomBytes(6).toString('hex')}.partial`
  try {
    const handle = await open(partial, 'wx', MODE)
    try {
      await handle.writeFile(`${bytes.toString('hex')}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(partial, path)
    await syncFolder(dirname(path))
    return keyOf(bytes)
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'EEXIST') return await readKey(path)
    return new SecretProblem(`key file secret.key cannot be made: ${reasonOf(cause)}`, { cause })
  } finally {
    await rm(partial, { force: true }).catch(() => {})
  }
}

/** The code of node's error, whose message has the path. */
function reasonOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? 'unknown error')
}
