/** What an answer says, so that it can be compared as a whole: status, kind of content, length, text. */

export interface Answer {
  readonly status: number
  readonly type: string | undefined
  readonly length: string | undefined
  readonly text: string
}

interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export function answerOf({ status, headers, text }: Response): Answer {
  return {
    status,
    type: headers['content-type'] as string | undefined,
    length: headers['content-length'] as string | undefined,
    text,
  }
}

/** A status and nothing else. */
export function empty(status = 200): Answer {
  return { status, type: undefined, length: status === 204 ? undefined : '0', text: '' }
}

export function plain(status: number, text: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', length: lengthOf(text), text }
}

/** `text` is the very JSON, byte for byte. */
export function json(text: string): Answer {
  return { status: 200, type: 'application/json', length: lengthOf(text), text }
}

function lengthOf(text: string): string {
  return String(Buffer.byteLength(text))
}
