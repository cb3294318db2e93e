/** Finds the UTF-8 byte order mark at the start of a body, which may come in several chunks. */
const MARK = [0xef, 0xbb, 0xbf]

export class ByteOrderMarkScan {
  #matched = 0
  #done = false

  /** Whether a whole mark, or a byte that is not part of one, has been read. */
  get done(): boolean {
    return this.#done
  }

  /** Whether a field begins at the next byte: not inside a mark, and not after an incomplete one. */
  get atFieldStart(): boolean {
    return this.#matched === 0 || this.#matched === MARK.length
  }

  /** Returns how many bytes of the chunk belong to the mark. Called for each chunk until the scan is done. */
  skip(chunk: Uint8Array): number {
    let at = 0
    while (at < chunk.length && this.#matched < MARK.length && chunk[at] === MARK[this.#matched]) {
      this.#matched++
      at++
    }
    this.#done = at < chunk.length || this.#matched === MARK.length
    return at
  }
}
