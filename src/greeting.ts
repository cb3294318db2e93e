/**
 * The text that the service prints when it listens: its address, and three curl lines that can be pasted unchanged into
 * a shell on the same machine.
 *
 * Under HTTPS curl has to trust the certificate, and the URL must have a name that is in it. So the lines contain the
 * certificate file. If the certificate is not valid for the address, the URL has a name of the certificate and
 * `--resolve` maps that name to the address.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { TlsFiles } from './config.ts'

export interface Listening {
  readonly version: string
  readonly host: string
  readonly port: number
  /** Of Flink's REST API alone; undefined without `--flink-port`. */
  readonly flinkPort?: number | undefined
  /** Of cached queries alone; undefined without `--cached-queries-port`. */
  readonly cachedQueriesPort?: number | undefined
  /** Of Ververica Platform's APIs alone; undefined without `--ververica-port`. */
  readonly ververicaPort?: number | undefined
  /** Whether requests need a token. */
  readonly withTokens: boolean
  readonly tls: TlsFiles | undefined
}

export function greeting({ version, host, port, withTokens, tls, ...further }: Listening): string {
  const origin = (some: number) => `${tls === undefined ? 'http' : 'https'}://${hostInUrl(host)}:${some}`
  const base = origin(port)
  const lineOf = (what: string, some: number | undefined) =>
    some === undefined ? '' : `${what} at ${origin(some)}\n`
  const others =
    lineOf('Flink REST API', further.flinkPort) +
    lineOf('cached queries', further.cachedQueriesPort) +
    lineOf('Ververica Platform APIs', further.ververicaPort)
  const { flags, url } = tls === undefined ? { flags: '', url: base } : overTls(tls, host, port)
  const token = withTokens ? '-H "Authorization: Bearer $MILLRACE_TOKEN" ' : ''
  const curl = `curl ${flags}${token}`
  const stream = `${url}/v3/namespaces/default/streams/mystream`
  return `millrace ${version} listening on ${base}
${others}
  ${curl}-X PUT ${stream}
  ${curl}-X POST -d 'Hello World' ${stream}
  ${curl}'${stream}/events?limit=10'

`
}

function overTls(files: TlsFiles, host: string, port: number): { flags: string; url: string } {
  const certificate = new X509Certificate(readFileSync(files.certificate))
  const trust = `--cacert ${quoted(resolve(files.certificate))} `
  // Only the operator knows the path of the client's certificate.
  const client = files.clientAuthorities === undefined ? '' : '--cert client.pem --key client.key '
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  if (certificate.checkIP(address) !== undefined) {
    return { flags: trust + client, url: `https://${hostInUrl(address)}:${port}` }
  }
  const name = nameOf(certificate)
  if (name === undefined)
    return { flags: `--insecure ${client}`, url: `https://${hostInUrl(address)}:${port}` }
  return {
    flags: `${trust}${client}--resolve ${name}:${port}:${hostInUrl(address)} `,
    url: `https://${name}:${port}`,
  }
}

/** A host name in the certificate; undefined if there is none. */
function nameOf({ subjectAltName, subject }: X509Certificate): string | undefined {
  const alternative = /(?:^|, )DNS:([A-Za-z0-9*._-]+)/.exec(subjectAltName ?? '')?.[1]
  const common = /^CN=([A-Za-z0-9*._-]+)$/m.exec(subject)?.[1]
  return (alternative ?? (subjectAltName === undefined ? common : undefined))?.replace(/^\*\./, 'millrace.')
}

function quoted(path: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
