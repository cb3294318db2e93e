/** Numbers with their units, as text. */

export function bytesText(bytes: number): string {
  if (bytes < 10_000) return `${bytes} bytes`
  if (bytes < 10_000_000) return `${Math.round(bytes / 1000)} kB`
  if (bytes < 10_000_000_000) return `${Math.round(bytes / 1e6)} MB`
  return `${Math.round(bytes / 1e9)} GB`
}

/** `1 event`, `2 events`. */
export function countText(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`
}
