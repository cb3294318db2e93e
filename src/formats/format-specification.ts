/** How the bodies of a stream become records. Responses contain the three members as they are here. */
export interface FormatSpecification {
  /** As the client wrote it: `CSV`, `csv` or the name of a Java class of CDAP. */
  readonly name: string
  /** Canonical JSON text of the record schema; the default schema of the format if the client gave none. */
  readonly schema: string
  /** In the client's order, with unknown settings. A Map, so that no key has a special meaning. */
  readonly settings: ReadonlyMap<string, string>
}
