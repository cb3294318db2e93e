/**
 * `GET /`: a page for a browser, with a description of the service and the first steps. It contains nothing of the request:
 * the address is that of the socket.
 */
import type { Socket } from 'node:net'
import type { HttpContext } from '../server/bindings.ts'

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  // The only page of the service: its style is inline, and its links lead to the service itself.
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}

/** Returns the handler. `withTokens`: whether requests need a token. */
export function welcomePage(withTokens: boolean) {
  return (c: HttpContext): Response | Promise<Response> => {
    const { url, socket } = c.env.incoming
    // One slash at the end of a path is ignored, so `//` would be `/`.
    return url!.startsWith('//') ? c.notFound() : c.body(page(socket, withTokens), 200, HEADERS)
  }
}

/** The path of the certificate is not shown, because any client can read this page. */
const CERTIFICATE_HINT = `
<p>If curl does not trust the certificate of this service, add <code>--cacert FILE</code> with the certificate, or with that of
its authority, and use a host name that is in the certificate.</p>`

function page(socket: Socket, withTokens: boolean): string {
  const encrypted = 'encrypted' in socket
  const stream = `${baseOf(socket)}/v3/namespaces/default/streams/mystream`
  const curl = `curl ${withTokens ? '-H "Authorization: Bearer $MILLRACE_TOKEN" ' : ''}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Millrace</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }
  pre { background: #f2f2f2; color: #111; padding: 1rem; overflow-x: auto }
</style>
</head>
<body>
<h1>Millrace</h1>
<p>Durable event streams over plain HTTP. Producers POST events, operators upload files, consumers read time ranges or
continue from a cursor, and SQL runs over all of it.</p>
<p>Create a stream, send an event, read it:</p>
<pre>${curl}-X PUT ${stream}
${curl}-X POST -d 'Hello World' ${stream}
${curl}'${stream}/events?limit=10'</pre>${encrypted ? CERTIFICATE_HINT : ''}
<p>Ask this service:</p>
<ul>
<li><a href="/status">/status</a>: whether it takes writes</li>
<li><a href="/v3/namespaces/default/streams">/v3/namespaces/default/streams</a>: the streams of the default namespace</li>
<li><a href="/metrics">/metrics</a>: figures for Prometheus</li>
</ul>
<p>Every request is described in <code>docs/http-api.md</code> of the installation, as OpenAPI in
<code>docs/openapi.yaml</code>.${withTokens ? ' Requests need a token: <code>docs/operations.md</code>, Tokens.' : ''}</p>
</body>
</html>
`
}

function baseOf(socket: Socket): string {
  const { localAddress = '127.0.0.1', localPort } = socket
  const address = localAddress.replace(/^::ffff:/, '')
  const host = address.includes(':') ? `[${address}]` : address
  return `${'encrypted' in socket ? 'https' : 'http'}://${host}:${localPort}`
}
