/** Damage of one of LevelDB's files, its place and its reason, for an operator to read. */
export interface FileDamage {
  /** Name of the file in the store's folder. */
  readonly file: string
  readonly offset: number
  readonly reason: string
  /** These bytes are never read. */
  readonly harmless?: boolean
  /** When LevelDB reads these bytes it does not return an error: one of its assertions ends the process. */
  readonly fatal?: boolean
  /** Keys in `(after, upTo]` cannot be read or cannot be trusted; absent if the keys are not known. */
  readonly keys?: { readonly after: Buffer | undefined; readonly upTo: Buffer }
}

export type OnFileDamage = (damage: FileDamage) => void
