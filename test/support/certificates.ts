/** Self-signed certificates for tests, made by the openssl command: node has no way to make one. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Identity {
  /** Paths of PEM files. */
  readonly certificate: string
  readonly key: string
}

/** Why no certificate can be made here, or undefined. */
export async function opensslProblem(): Promise<string | undefined> {
  try {
    await run('openssl', ['version'])
    return undefined
  } catch {
    return 'there is no openssl to make a certificate with'
  }
}

/**
 * A fresh key and a certificate that it signs itself, as `<name>.pem` and `<name>.key` in the folder; for 127.0.0.1 unless
 * `names` has other alternative names, and with none where that is undefined.
 */
export async function selfSigned(
  folder: string,
  name: string,
  { subject = `/CN=${name}`, names }: { subject?: string; names: string | undefined } = {
    names: 'IP:127.0.0.1',
  },
): Promise<Identity> {
  const certificate = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  await run('openssl', [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', subject],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...(names === undefined ? [] : ['-addext', `subjectAltName=${names}`]),
    ...['-keyout', key, '-out', certificate],
  ])
  return { certificate, key }
}
