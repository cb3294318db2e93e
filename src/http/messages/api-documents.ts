/**
 * The JSON documents of an API: a parser for each, by name. Parsers run on the event loop, or on a worker thread when a document
 * is long or slow to read. So arguments and results are plain values, which can pass between threads.
 */

// biome-ignore lint/suspicious/noExplicitAny: parsers have further arguments of their own
export type DocumentParser = (body: Uint8Array, depthMax: number, ...more: any[]) => unknown
export type DocumentParsers = Readonly<Record<string, DocumentParser>>

export interface ApiDocuments<Parsers extends DocumentParsers = DocumentParsers> {
  /** Its name, by which the worker thread finds the parsers. */
  readonly api: string
  readonly parsers: Parsers
  /** Documents that may be slow to read however short they are. */
  readonly slow: ReadonlySet<keyof Parsers>
}

/** What a parser needs beside the body and the depth. */
export type ParserArguments<Parser extends DocumentParser> =
  Parameters<Parser> extends [unknown?, unknown?, ...infer Rest] ? Rest : never

/** For the worker thread. Throws if no API has this parser. */
export function parserOf(apis: readonly ApiDocuments[], api: string, name: string): DocumentParser {
  const parser = apis.find((one) => one.api === api)?.parsers[name]
  if (parser === undefined)
    throw new Error(
      `there is no document ${name} of API ${api}; add its documents to src/http/document-parsers.ts`,
    )
  return parser
}
