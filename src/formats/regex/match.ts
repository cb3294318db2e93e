/**
 * Runs a program of program.ts on a text by backtracking, as Java and Oniguruma do, so that patterns have the same
 * meaning here. It counts its steps and returns 'tooLong' when there are too many.
 *
 * A step takes a few nanoseconds. Backtracking uses a stack of entries of four words:
 *
 *   RETRY address place -         continue there
 *   RESET slot value -            a slot was changed
 *   SHORTER address least place   a RUN that may be shortened by one character, down to `least`
 *   LONGER address place most     a RUN that may be extended by one character, up to `most`
 *
 * Indexes are asserted with `!`: the compiler of the program keeps addresses, slots and sets inside their arrays, and
 * the matcher compares places with the end of the text.
 */
import { LINE_ENDS, unicodeClass, WORD_CHARS } from './char-set.ts'
import { ANY, type RegexProgram } from './program.ts'

/**
 * Limit of steps for one event, plus one for each of its characters: tens of milliseconds at most. Lines of logs take
 * hundreds of steps.
 */
export const STEPS_MAX = 700_000
/** A run compares this many characters in the time of one step. */
const RUN_CHARS_PER_STEP = 4
/** 16 MiB. Ordinary patterns reach the limit of steps first. */
const STACK_WORDS_MAX = 4 * 1024 * 1024
const STACK_WORDS_MIN = 4 * 256

export type MatchOutcome = 'match' | 'none' | 'tooLong'

const RETRY = 0
const RESET = 1
const SHORTER = 2
const LONGER = 3

const FAILED = -1
const GAVE_UP = -2

const ASCII = 128
const NO_SET = -1
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

export class RegexMatcher {
  readonly #code: Int32Array
  readonly #first: number
  readonly #begins: RegexProgram['begins']
  /** One byte for every set and ASCII character: 1 if the set contains the character. */
  readonly #ascii: Uint8Array
  /**
   * Ranges of the characters beyond ASCII, two words each. Those of set s begin at `#beyondStarts[s]` and end before
   * those of the next set.
   */
  readonly #beyond: Uint16Array
  readonly #beyondStarts: Int32Array
  readonly #words: number
  readonly #lineEnds: number
  /** Places of the last match: capture i begins at element 2i and ends at element 2i+1; -1 if it has no text. */
  readonly slots: Int32Array
  #units: Uint16Array = new Uint16Array(0)
  #end = 0
  #stack = new Int32Array(STACK_WORDS_MIN)
  #top = 0
  #steps = 0

  constructor(program: RegexProgram) {
    const words = program.unicodeWords ? [unicodeClass('word')!] : []
    const sets = [...program.sets, WORD_CHARS, LINE_ENDS, ...words]
    this.#words = program.sets.length
    this.#lineEnds = program.sets.length + 1
    this.#code = program.code
    this.#first = program.first
    this.#begins = program.begins
    this.slots = new Int32Array(program.slots)
    this.#ascii = new Uint8Array(sets.length * ASCII)
    this.#beyondStarts = new Int32Array(sets.length + 1)
    const beyond: number[] = []
    sets.forEach((set, index) => {
      for (const [low, high] of set) {
        for (let unit = low; unit <= Math.min(high, ASCII - 1); unit++) this.#ascii[index * ASCII + unit] = 1
        if (high >= ASCII) beyond.push(Math.max(low, ASCII), high)
      }
      this.#beyondStarts[index + 1] = beyond.length
    })
    this.#beyond = Uint16Array.from(beyond)
  }

  /** Finds the first match in `units[0, end)`. */
  find(units: Uint16Array, end: number): MatchOutcome {
    this.#units = units
    this.#end = end
    this.#steps = STEPS_MAX + end
    const first = this.#first
    for (let start = 0; start <= end; start++) {
      if (first !== ANY) {
        while (start < end && !this.#has(first, units[start]!)) start++
        if (start >= end) return 'none'
      }
      if (start > 0 && this.#begins === 'behindLineEnds') {
        while (start < end && !this.#has(this.#lineEnds, units[start - 1]!)) start++
        if (!this.#has(this.#lineEnds, units[start - 1]!)) return 'none'
      }
      this.slots.fill(-1)
      this.#top = 0
      const place = this.#run(0, start)
      if (place >= 0) return 'match'
      if (place === GAVE_UP) return 'tooLong'
      if (this.#begins === 'atStart') return 'none'
    }
    return 'none'
  }

  #has(set: number, unit: number): boolean {
    return unit < ASCII ? this.#ascii[set * ASCII + unit] === 1 : this.#hasBeyond(set, unit)
  }

  #hasBeyond(set: number, unit: number): boolean {
    const beyond = this.#beyond
    let low = this.#beyondStarts[set]! >> 1
    let high = this.#beyondStarts[set + 1]! >> 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (unit > beyond[2 * middle + 1]!) low = middle + 1
      else if (unit < beyond[2 * middle]!) high = middle
      else return true
    }
    return false
  }

  /**
   * Executes the program from an address and a place up to the END of that part. Returns the place there, or FAILED
   * after restoring the stack, or GAVE_UP. After success the stack still contains the alternatives.
   */
  #run(address: number, start: number): number {
    const code = this.#code
    const units = this.#units
    const ascii = this.#ascii
    const end = this.#end
    const base = this.#top
    let at = address
    let place = start
    for (;;) {
      if (--this.#steps < 0) return GAVE_UP
      let failed = false
      // The cases are numbers: with named constants this would be a chain of comparisons.
      switch (code[at]) {
        case 0 /* END */:
          return place

        case 1 /* CHAR */:
          {
            const unit = place < end ? units[place]! : NO_SET
            const set = code[at + 1]!
            if (
              unit !== NO_SET &&
              (unit < ASCII ? ascii[set * ASCII + unit] === 1 : this.#hasBeyond(set, unit))
            ) {
              place++
              at += 2
            } else {
              failed = true
            }
            break
          }

        case 2 /* RUN */:
          {
            const set = code[at + 1]!
            const min = code[at + 2]!
            const how = code[at + 5]
            const most = end - place < code[at + 3]! ? end : place + code[at + 3]!
            const least = place + min
            if (least > end) {
              failed = true
              break
            }
            const stop = how === 1 /* LAZY */ ? least : most
            const from = place
            while (place < stop) {
              const unit = units[place]!
              if (unit < ASCII ? ascii[set * ASCII + unit] === 0 : !this.#hasBeyond(set, unit)) break
              place++
            }
            this.#steps -= ((place - from) / RUN_CHARS_PER_STEP) | 0
            if (place < least) {
              failed = true
            } else if (how === 2 /* POSSESSIVE */) {
              at += 6
            } else if (how === 0 /* GREEDY */) {
              place = this.#shorter(code[at + 4]!, least, place)
              if (place < 0) {
                failed = true
                break
              }
              if (place > least && !this.#push(SHORTER, at, least, place - 1)) return GAVE_UP
              at += 6
            } else {
              place = this.#longer(set, code[at + 4]!, place, most)
              if (place < 0) {
                failed = true
                break
              }
              if (place < most && !this.#push(LONGER, at, place, most)) return GAVE_UP
              at += 6
            }
            break
          }

        case 3 /* SPLIT */:
          {
            const unit = place < end ? units[place]! : NO_SET
            const first = this.#mayBegin(code[at + 3]!, unit)
            const second = this.#mayBegin(code[at + 4]!, unit)
            if (first) {
              if (second && !this.#push(RETRY, code[at + 2]!, place, 0)) return GAVE_UP
              at = code[at + 1]!
            } else if (second) {
              at = code[at + 2]!
            } else {
              failed = true
            }
            break
          }

        case 4 /* GOTO */:
          at = code[at + 1]!
          break

        case 5 /* SAVE */:
          {
            const slot = code[at + 1]!
            if (!this.#push(RESET, slot, this.slots[slot]!, 0)) return GAVE_UP
            this.slots[slot] = place
            at += 2
            break
          }

        case 6 /* MOVED */:
          if (this.slots[code[at + 1]!] === place) failed = true
          else at += 2
          break

        case 7 /* AT */:
          if (this.#isAt(code[at + 1]!, place)) at += 2
          else failed = true
          break

        case 8 /* LOOK */:
          {
            const found = this.#look(at, place)
            if (found === GAVE_UP) return GAVE_UP
            if (found >= 0 === (code[at + 1] === 0)) at = code[at + 4]!
            else failed = true
            break
          }

        case 10 /* HERE */:
          if (this.slots[code[at + 1]!] === place) at += 2
          else failed = true
          break

        case 9 /* ATOMIC */:
          {
            const before = this.#top
            const after = this.#run(at + 2, place)
            if (after === GAVE_UP) return GAVE_UP
            if (after < 0) {
              failed = true
            } else {
              this.#dropAlternatives(before)
              place = after
              at = code[at + 1]!
            }
            break
          }
      }
      if (!failed) continue

      // Backtrack to the last alternative on the stack.
      for (;;) {
        if (this.#top === base) return FAILED
        const stack = this.#stack
        const entry = this.#top - 4
        this.#top = entry
        const kind = stack[entry]
        if (kind === RESET) {
          this.slots[stack[entry + 1]!] = stack[entry + 2]!
        } else if (kind === RETRY) {
          at = stack[entry + 1]!
          place = stack[entry + 2]!
          break
        } else if (kind === SHORTER) {
          const run = stack[entry + 1]!
          const least = stack[entry + 2]!
          place = this.#shorter(code[run + 4]!, least, stack[entry + 3]!)
          if (place < 0) continue
          if (place > least) {
            stack[entry + 3] = place - 1
            this.#top += 4
          }
          at = run + 6
          break
        } else {
          const run = stack[entry + 1]!
          const most = stack[entry + 3]!
          const next = stack[entry + 2]!
          const set = code[run + 1]!
          // The run first takes one more character.
          if (!this.#has(set, units[next]!)) continue
          place = this.#longer(set, code[run + 4]!, next + 1, most)
          if (place < 0) continue
          if (place < most) {
            stack[entry + 2] = place
            this.#top += 4
          }
          at = run + 6
          break
        }
      }
    }
  }

  /** Returns the last place from `place` down to `least` whose character is in `follow`; FAILED if there is none. */
  #shorter(follow: number, least: number, place: number): number {
    if (follow === ANY) return place
    const units = this.#units
    let at = place
    if (at === this.#end) at--
    while (at >= least && !this.#has(follow, units[at]!)) at--
    this.#steps -= ((place - at) / RUN_CHARS_PER_STEP) | 0
    return at < least ? FAILED : at
  }

  /**
   * Returns the first place from `place` up to `most` whose character is in `follow`; all characters before it must be
   * in `set`.
   */
  #longer(set: number, follow: number, place: number, most: number): number {
    if (follow === ANY) return place
    const units = this.#units
    let at = place
    let found = false
    while (at < this.#end) {
      found = this.#has(follow, units[at]!)
      if (found || at >= most || !this.#has(set, units[at]!)) break
      at++
    }
    this.#steps -= ((at - place) / RUN_CHARS_PER_STEP) | 0
    return found ? at : FAILED
  }

  /** Returns where the tree of a LOOK ends, or FAILED. A negative LOOK leaves all slots unchanged. */
  #look(at: number, place: number): number {
    const code = this.#code
    const before = this.#top
    const most = code[at + 3]!
    if (most < 0) {
      const found = this.#run(at + 6, place)
      if (found >= 0) this.#leave(before, code[at + 1] === 1)
      return found
    }
    // The tree has to end at the place of the LOOK: its last step, HERE, compares the place with this slot.
    this.slots[code[at + 5]!] = place
    for (let back = code[at + 2]!; back <= most && back <= place; back++) {
      const found = this.#run(at + 6, place - back)
      if (found === GAVE_UP) return GAVE_UP
      if (found >= 0) {
        this.#leave(before, code[at + 1] === 1)
        return found
      }
    }
    return FAILED
  }

  #leave(before: number, negative: boolean): void {
    if (!negative) {
      this.#dropAlternatives(before)
      return
    }
    while (this.#top > before) {
      this.#top -= 4
      if (this.#stack[this.#top] === RESET) {
        this.slots[this.#stack[this.#top + 1]!] = this.#stack[this.#top + 2]!
      }
    }
  }

  /** Removes the alternatives pushed since `before` and keeps the entries that restore slots. */
  #dropAlternatives(before: number): void {
    const stack = this.#stack
    let kept = before
    for (let entry = before; entry < this.#top; entry += 4) {
      if (stack[entry] !== RESET) continue
      stack[kept] = RESET
      stack[kept + 1] = stack[entry + 1]!
      stack[kept + 2] = stack[entry + 2]!
      kept += 4
    }
    this.#top = kept
  }

  #push(kind: number, a: number, b: number, c: number): boolean {
    const top = this.#top
    if (top === this.#stack.length) {
      if (top >= STACK_WORDS_MAX) return false
      const larger = new Int32Array(2 * top)
      larger.set(this.#stack)
      this.#stack = larger
    }
    const stack = this.#stack
    stack[top] = kind
    stack[top + 1] = a
    stack[top + 2] = b
    stack[top + 3] = c
    this.#top = top + 4
    return true
  }

  #mayBegin(set: number, unit: number): boolean {
    return set === ANY || (unit !== NO_SET && this.#has(set, unit))
  }

  #isAt(index: number, place: number): boolean {
    const units = this.#units
    const end = this.#end
    // The numbers are the indexes of PLACES in program.ts.
    switch (index) {
      case 0 /* start */:
        return place === 0
      case 1 /* end */:
        return place === end
      case 2 /* lineStart */:
        return place === 0 || (place < end && this.#has(this.#lineEnds, units[place - 1]!))
      case 3 /* lineEnd */:
        return place === end || this.#has(this.#lineEnds, units[place]!)
      case 4 /* lastLineEnd */:
        if (place === end) return true
        if (!this.#has(this.#lineEnds, units[place]!)) return false
        return (
          place === end - 1 ||
          (place === end - 2 && units[place] === CARRIAGE_RETURN && units[end - 1] === LINE_FEED)
        )
      case 5 /* wordEdge */:
        return this.#isIn(this.#words, place - 1) !== this.#isIn(this.#words, place)
      case 6 /* noWordEdge */:
        return this.#isIn(this.#words, place - 1) === this.#isIn(this.#words, place)
      case 7 /* unixLineStart */:
        return place === 0 || (place < end && units[place - 1] === LINE_FEED)
      case 8 /* unixLineEnd */:
        return place === end || units[place] === LINE_FEED
      case 9 /* lastUnixLineEnd */:
        return place === end || (place === end - 1 && units[place] === LINE_FEED)
      case 10 /* unicodeWordEdge */:
        return this.#isIn(this.#words + 2, place - 1) !== this.#isIn(this.#words + 2, place)
      default: /* noUnicodeWordEdge */
        return this.#isIn(this.#words + 2, place - 1) === this.#isIn(this.#words + 2, place)
    }
  }

  #isIn(set: number, place: number): boolean {
    return place >= 0 && place < this.#end && this.#has(set, this.#units[place]!)
  }
}
