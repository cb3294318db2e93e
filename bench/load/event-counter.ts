/**
 * Counts the events of an answer, whatever pieces it comes in, without parsing it: every event begins with the same
 * bytes, which stand nowhere else, for a quote within a header or a body has a backslash before it.
 */
const EVENT_START = Buffer.from('{"timestamp":')
const OVERLAP = EVENT_START.length - 1

export class EventCounter {
  #count = 0
  /** The last bytes before the next piece: an event may begin in them. */
  #rest: Buffer = Buffer.alloc(0)

  get count(): number {
    return this.#count
  }

  add(piece: Buffer): void {
    const seam = Buffer.concat([this.#rest, piece.subarray(0, OVERLAP)])
    this.#count += countIn(seam) + countIn(piece)
    // Both pieces of the seam are shorter than an event's start, unless `piece` is tiny: then it is all seam.
    this.#rest = piece.length >= OVERLAP ? piece.subarray(-OVERLAP) : seam.subarray(-OVERLAP)
  }
}

function countIn(bytes: Buffer): number {
  let count = 0
  for (
    let at = bytes.indexOf(EVENT_START);
    at !== -1;
    at = bytes.indexOf(EVENT_START, at + EVENT_START.length)
  )
    count++
  return count
}
