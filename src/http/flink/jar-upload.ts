/** The body of an upload: multipart/form-data with exactly one file, which is written to the store of jars as it arrives. */
import type { IncomingMessage } from 'node:http'
import type { ClientKey } from '../../fair-share.ts'
import type { JarStore, JarUpload, StoredJar } from '../../jars/jar-store.ts'
import { ServiceError } from '../../service-error.ts'
import { bodyChunks, endedEarly } from '../messages/body-chunks.ts'
import { Expansion } from '../messages/expansion.ts'
import { boundaryOf, multipartPieces } from '../messages/multipart.ts'
import type { Intake } from '../messages/request-body.ts'
import type { Upload } from '../server/body-memory.ts'
import { decoderBytes } from '../server/decoder-memory.ts'

export interface JarUploadOptions extends Intake {
  readonly limits: { readonly maxJarBytes: number }
}

/** Of the body, beside the jar: boundaries, headers, and other parts of the form. */
const BESIDE_BYTES_MAX = 1024 * 1024
const NO_FILE = 'Exactly 1 file must be sent, received 0.'

/**
 * Resolves when the jar is durable; if it rejects, nothing of it stays. Rejects with ServiceError 'invalid_jar', 'jar_too_large',
 * 'jars_full', 'malformed_body', 'disk_low' and 'overloaded'.
 */
export async function storeJar(
  store: JarStore,
  incoming: IncomingMessage,
  client: ClientKey,
  { load, slowClients, limits }: JarUploadOptions,
): Promise<StoredJar> {
  const boundary = boundaryOf(incoming.headers['content-type'])
  if (boundary === undefined) throw new ServiceError('invalid_jar', NO_FILE)
  const bytesMax = limits.maxJarBytes + BESIDE_BYTES_MAX
  assertLength(incoming, bytesMax, limits.maxJarBytes)
  const upload = slowClients.beginUpload(incoming, load)
  const form = new JarForm(store, client)
  try {
    const chunks = counted(incoming, upload, bytesMax, limits.maxJarBytes)
    for await (const piece of multipartPieces(chunks, boundary)) {
      if (piece.kind === 'part') await form.begin(piece.fileName)
      else if (piece.kind === 'content') await form.write(piece.bytes)
      else form.endPart()
    }
    if (!upload.complete()) throw endedEarly()
    return await form.commit()
  } finally {
    upload.end()
    await form.discard()
  }
}

/** The files of a form, of which the first is stored. */
class JarForm {
  readonly #store: JarStore
  readonly #client: ClientKey
  #upload: JarUpload | undefined
  #isOpen = false
  #files = 0

  constructor(store: JarStore, client: ClientKey) {
    this.#store = store
    this.#client = client
  }

  /** A part without a file name is no file, and one with an empty name is a field without a choice. */
  async begin(fileName: string | undefined): Promise<void> {
    if (fileName === undefined || fileName === '') return
    if (++this.#files > 1) return
    this.#upload = await this.#store.begin(baseName(fileName), this.#client)
    this.#isOpen = true
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#isOpen) await this.#upload!.write(bytes)
  }

  endPart(): void {
    this.#isOpen = false
  }

  commit(): Promise<StoredJar> {
    if (this.#upload !== undefined && this.#files === 1) return this.#upload.commit()
    throw new ServiceError('invalid_jar', `Exactly 1 file must be sent, received ${this.#files}.`)
  }

  async discard(): Promise<void> {
    await this.#upload?.discard()
  }
}

/** Some clients send the path of the file on their machine. */
function baseName(fileName: string): string {
  return fileName.slice(Math.max(fileName.lastIndexOf('/'), fileName.lastIndexOf('\\')) + 1)
}

/** The chunks of the body; the disk sets the pace, and memory counts one chunk at a time. */
async function* counted(
  incoming: IncomingMessage,
  upload: Upload,
  bytesMax: number,
  jarBytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const expansion = new Expansion()
  let total = 0
  for await (const chunk of bodyChunks(incoming, expansion)) {
    upload.pace.stopAwaiting()
    upload.pace.moved = expansion.sentBytes
    total += chunk.length
    if (total > bytesMax) throw tooLarge(jarBytesMax)
    await upload.holds(chunk.length + decoderBytes(incoming, expansion.grownBytes))
    yield chunk
    upload.pace.awaitClient()
  }
}

function assertLength({ headers }: IncomingMessage, bytesMax: number, jarBytesMax: number): void {
  const isPlain = headers['content-encoding'] === undefined
  if (isPlain && Number(headers['content-length']) > bytesMax) throw tooLarge(jarBytesMax)
}

function tooLarge(jarBytesMax: number): ServiceError {
  return new ServiceError(
    'jar_too_large',
    `the body has more bytes than a jar may have; at most ${jarBytesMax} bytes are taken`,
  )
}
