/** What is wrong with one of LevelDB's files, and where: for an operator to read. */
export interface FileDamage {
  /** Name within the store's folder. */
  readonly file: string
  readonly offset: number
  readonly reason: string
  /** These bytes are never read. */
  readonly harmless?: boolean
  /** LevelDB does not answer with an error when it reads them: an assertion of its own ends the process. */
  readonly fatal?: boolean
  /** Keys in `(after, upTo]` cannot be read, or not be trusted; absent where they are not known. */
  readonly keys?: { readonly after: Buffer | undefined; readonly upTo: Buffer }
}

export type OnFileDamage = (damage: FileDamage) => void
