/** A file as pieces for a long answer. */
import { open } from 'node:fs/promises'

const PIECE_BYTES = 64 * 1024

/** At least one. A client that reads slowly holds two of them in memory, not the file. */
export async function* piecesOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path)
  try {
    for (let isFirst = true; ; isFirst = false) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES)
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES)
      if (bytesRead === 0 && !isFirst) return
      yield piece.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
