/** Finds the UTF-8 byte order mark at the start of a body, which may come in several chunks. */
const MARK = [0xef, 0xbb, 0xbf]

export class ByteOrderMarkScan {
  #matched = 0
  #done = false

  /** Whether bytes other than those of a mark have been seen, or a whole mark. */
  get done(): boolean {
    return this.#done
  }

  /** Whether a field begins at the next byte. It does not inside a mark, or behind part of one. */
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
