/** Wraps a handler that changes something: every answer, refusals included, has a line in the audit trail. */
import type { AuditAction, AuditLog } from '../../audit/audit-log.ts'
import type { Handler, HttpContext } from './bindings.ts'
import { namedNamespace } from './path-names.ts'

export function audited(
  action: AuditAction,
  audit: AuditLog,
  handle: Handler,
  answerError: (error: unknown, c: HttpContext) => Response,
): Handler {
  return async (c) => {
    const { headers, socket } = c.env.incoming
    const from = `${socket.remoteAddress}:${socket.remotePort}` // a closed socket has no address
    let response: Response
    try {
      response = await handle(c)
    } catch (error) {
      response = answerError(error, c)
    }
    audit.record({
      action,
      client: clientName(c.get('client')),
      from,
      forwardedFor: headers['x-forwarded-for'] as string | undefined,
      namespace: namedNamespace(c),
      stream: c.req.param('stream'),
      id: c.get('subject')?.id,
      status: response.status,
    })
    return response
  }
}

function clientName(client: { readonly name: string } | null | undefined): string | null | undefined {
  return client === null ? null : client?.name
}
