/**
 * Files of this node for large batches that wait for their commit. A file has no name any more as soon as it is open, so a crash
 * frees its space. All files together are bounded, and leave disk space free.
 */
export interface SpoolOptions {
  readonly folder: string
  readonly bytesMax: number
  /** Bytes that stay free on the disk. */
  readonly freeBytesMin?: number
}

export class Spool {
  /** Opens the folder, and removes files that a crash has left there. */
  static async open(_options: SpoolOptions): Promise<Spool> {
    throw new Error('not built yet')
  }
}
