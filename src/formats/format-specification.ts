/** How the bodies of a stream become records. Responses contain the three members as they are here. */
export interface FormatSpecification {
  /** As the client wrote it: `CSV`, `csv` or a Java class name of CDAP's. */
  readonly name: string
  /** Canonical JSON text of the record schema; the format's default one if the client gave none. */
  readonly schema: string
  /** In the client's order, unknown settings included. A Map, so that no key is special. */
  readonly settings: ReadonlyMap<string, string>
}
