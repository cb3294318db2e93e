/**
 * `/swagger`: a page with which people read the two descriptions and make requests. Its program is the package swagger-ui-dist; page and
 * program come from this service, which the page's policy allows alone. Where tokens are required, a browser sends the one that a
 * person types in as the password of a Basic challenge; the requests that the page makes have the one of its button Authorize.
 */
import { createRequire } from 'node:module'
import type { JsonObject } from '../../deployments/resources.ts'
import { ServiceError } from '../../service-error.ts'
import type { AppOptions, AppParts, Route } from '../api.ts'
import { piecesOf } from '../messages/file-pieces.ts'
import { answerPieces, beginPieces } from '../messages/long-answer.ts'
import { basicOf } from '../server/authorization.ts'
import type { Handler, HttpContext } from '../server/bindings.ts'
import { answerProblem } from '../server/problem.ts'
import { unauthorized } from '../server/unauthorized.ts'
import { platformDescription, resourceDescription } from './description/openapi.ts'
import { answerForm, CONTENT_TYPE, type Form } from './media-types.ts'
import { ververicaProblemShape } from './problem-shape.ts'
import { yamlText } from './yaml-text.ts'

const PACKAGE = createRequire(import.meta.url)

const JAVASCRIPT = 'text/javascript; charset=utf-8'

/** Of the package; every other name is unknown. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': JAVASCRIPT,
  'swagger-ui-standalone-preset.js': JAVASCRIPT,
  'favicon-32x32.png': 'image/png',
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Millrace API</title>
<link rel="stylesheet" href="/swagger/swagger-ui.css">
<link rel="icon" type="image/png" href="/swagger/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/swagger/swagger-ui-bundle.js"></script>
<script src="/swagger/swagger-ui-standalone-preset.js"></script>
<script src="/swagger/start.js"></script>
</body>
</html>
`

/** No validator: it would be another service, which is sent the description. */
const START = `SwaggerUIBundle({
  urls: [
    { url: '/api/swagger.json', name: 'Application Manager' },
    { url: '/swagger.json', name: 'Platform' },
  ],
  dom_id: '#swagger-ui',
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: 'StandaloneLayout',
  validatorUrl: null,
})
`

export function swaggerRoutes(parts: AppParts, options: AppOptions): readonly Route[] {
  const letIn = forTokens(parts, options)
  const { version } = parts.process.build
  return [
    ['GET', '/swagger', 'anybody', letIn((c) => c.body(PAGE, 200, headersOf('text/html; charset=utf-8')))],
    ['GET', '/swagger/:file', 'anybody', letIn((c) => answerFile(c, options))],
    ['GET', '/api/swagger.json', 'anybody', letIn(answerDescription(() => resourceDescription(version)))],
    ['GET', '/swagger.json', 'anybody', letIn(answerDescription(() => platformDescription(version)))],
  ]
}

/** Lets in a client with any good token, as Bearer or as the password of Basic. */
function forTokens({ tokens, address }: AppParts, { nowMs }: AppOptions): (handle: Handler) => Handler {
  return (handle) => (c) => {
    if (tokens === undefined || c.get('client')) return handle(c)
    const credentials = basicOf(c.env.incoming)
    const client = credentials === undefined ? 'missing' : tokens.find(credentials.password, nowMs())
    if (typeof client !== 'string') return handle(c)
    return answerProblem(c, unauthorized(client, address(c.env.incoming.socket), 'Basic'), (_, accept) =>
      ververicaProblemShape(accept),
    )
  }
}

async function answerFile(c: HttpContext, options: AppOptions): Promise<Response> {
  const name = c.req.param('file') ?? ''
  if (name === 'start.js') return c.body(START, 200, headersOf(JAVASCRIPT))
  const type = Object.hasOwn(FILES, name) ? FILES[name] : undefined
  if (type === undefined) throw new ServiceError('part_not_found', 'the page has no such file; open /swagger')
  const headers = headersOf(type)
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const pieces = await beginPieces(piecesOf(PACKAGE.resolve(`swagger-ui-dist/${name}`)))
  return answerPieces(c, pieces, headers, options)
}

function headersOf(type: string): Record<string, string> {
  return { 'content-type': type, 'content-security-policy': POLICY, 'cache-control': 'no-cache' }
}

/** Its text is made at the first request, and kept. */
function answerDescription(make: () => JsonObject): (c: HttpContext) => Response {
  const texts = new Map<Form, string>()
  return (c) => {
    const form = answerForm(c)
    const text = texts.get(form) ?? (form === 'json' ? JSON.stringify(make()) : yamlText(make()))
    texts.set(form, text)
    return c.body(text, 200, { 'Content-Type': CONTENT_TYPE[form] })
  }
}
