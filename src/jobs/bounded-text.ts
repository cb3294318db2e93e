/** The newest characters of a text that grows, cut at the begin of a line. */

export class BoundedText {
  readonly #charactersMax: number
  #parts: string[] = []
  #characters = 0

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax
  }

  add(text: string): void {
    if (text === '') return
    this.#parts.push(text)
    this.#characters += text.length
    // Joining at twice the limit makes the work for a character constant.
    if (this.#characters > 2 * this.#charactersMax) this.#join()
  }

  get text(): string {
    this.#join()
    return this.#parts[0] ?? ''
  }

  /** Returns the text and forgets it. */
  take(): string {
    const { text } = this
    this.#parts = []
    this.#characters = 0
    return text
  }

  #join(): void {
    const all = this.#parts.join('')
    const text = all.length > this.#charactersMax ? wholeLines(all.slice(-this.#charactersMax)) : all
    this.#parts = [text]
    this.#characters = text.length
  }
}

/** A line that is longer than the limit is cut. */
function wholeLines(text: string): string {
  const end = text.indexOf('\n')
  return end === -1 || end === text.length - 1 ? text : text.slice(end + 1)
}
