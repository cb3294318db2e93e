/**
 * The server's identity: certificate and key from their files. They are checked before the first connection, and an error
 * names the file in a sentence. The sentence never has a part of the key.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SecureContextOptions, TlsOptions } from 'node:tls'
import type { TlsFiles } from '../../config.ts'

const MIN_VERSION = 'TLSv1.2'
/** A connection that has not finished the handshake by then is closed. */
const HANDSHAKE_MS = 10_000

/** What is wrong with the files; the message is one sentence for the operator. */
export class TlsError extends Error {
  override readonly name = 'TlsError'
}

/** For `createServer`. Throws TlsError. */
export function tlsOptions(files: TlsFiles): TlsOptions {
  const askClients = files.clientAuthorities !== undefined
  return {
    ...readIdentity(files),
    handshakeTimeout: HANDSHAKE_MS,
    ...(askClients && { requestCert: true, rejectUnauthorized: true }),
  }
}

/** For `setSecureContext`: connections that are open keep what they have. Throws TlsError. */
export function readIdentity(files: TlsFiles): SecureContextOptions {
  const cert = read(files.certificate, '--tls-cert')
  const key = read(files.key, '--tls-key')
  const certificate = parsed('certificate', files.certificate, '--tls-cert', () => new X509Certificate(cert))
  const privateKey = parsed('private key without a password', files.key, '--tls-key', () =>
    createPrivateKey(key),
  )
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsError(`--tls-key ${files.key} is not the key of --tls-cert ${files.certificate}`)
  }
  return { cert, key, minVersion: MIN_VERSION, ...authorities(files.clientAuthorities) }
}

function authorities(path: string | undefined): SecureContextOptions {
  if (path === undefined) return {}
  const ca = read(path, '--tls-client-ca')
  parsed('certificate', path, '--tls-client-ca', () => new X509Certificate(ca))
  return { ca }
}

function read(path: string, flag: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new TlsError(`${flag} ${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** OpenSSL's own message does not help, and might quote the file. */
function parsed<T>(what: string, path: string, flag: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw new TlsError(`${flag} ${path} holds no ${what} in PEM`)
  }
}
