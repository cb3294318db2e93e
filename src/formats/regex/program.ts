/**
 * Compiles a tree to a program for match.ts: 32-bit words, the sets that they refer to, and the captures.
 *
 * For every choice the compiler computes the characters that each alternative may begin with, including the characters
 * that may follow the tree. The matcher skips alternatives that cannot match, and does not shorten a run to a place
 * where the next part cannot begin. The sets are upper bounds: they exclude alternatives, but do not prove a match.
 *
 *   END                                 the tree is matched
 *   CHAR set                            one character
 *   RUN set min max follow mode         characters of a set; follow is the set that may come next, or ANY
 *   SPLIT first second set1 set2        two alternatives in order, each with the set it may begin with
 *   GOTO address
 *   SAVE slot                           stores the place in a slot: 2i is where capture i begins, 2i+1 where it ends
 *   MOVED slot                          fails if the place has not changed since a SAVE of the slot
 *   AT place
 *   LOOK negative least most next slot  the tree after it, up to an END: it begins from least to most characters back, or
 *                                       at this place if most is -1
 *   HERE slot                           fails if the place is not that of the LOOK that uses the slot
 *   ATOMIC next                         the tree after it, up to an END, without backtracking into it
 *
 * Values are asserted with `!`: arrays have an element for each part of the tree, and a sequence is not empty.
 */
import { type CharSet, intersect, isEmpty, LINE_ENDS, NO_CHARS, negate, unite } from './char-set.ts'
import { PatternError, type Place, type RegexTree } from './tree.ts'

export const END = 0
export const CHAR = 1
export const RUN = 2
export const SPLIT = 3
export const GOTO = 4
export const SAVE = 5
export const MOVED = 6
export const AT = 7
export const LOOK = 8
export const ATOMIC = 9
export const HERE = 10

export const GREEDY = 0
export const LAZY = 1
export const POSSESSIVE = 2

/** The index of a set that allows everything. */
export const ANY = -1

export const PLACES: readonly Place[] = [
  'start',
  'end',
  'lineStart',
  'lineEnd',
  'lastLineEnd',
  'wordEdge',
  'noWordEdge',
  'unixLineStart',
  'unixLineEnd',
  'lastUnixLineEnd',
  'unicodeWordEdge',
  'noUnicodeWordEdge',
]

export interface Capture {
  readonly name: string
  readonly inQuotes: boolean
}

export interface RegexProgram {
  readonly code: Int32Array
  readonly sets: readonly CharSet[]
  /** In the order of the pattern. A name may occur more than once. */
  readonly captures: readonly Capture[]
  /** The number of slots for captures, loops and looks behind. */
  readonly slots: number
  /** The set that a match may begin with, or ANY. */
  readonly first: number
  /** The places where a match may begin, after an earlier place has failed. */
  readonly begins: 'anywhere' | 'atStart' | 'behindLineEnds'
  /** Whether a place depends on the word characters of all of Unicode. */
  readonly unicodeWords: boolean
}

/** Ten times the largest pattern of the sets. It bounds the cost of compiling a pattern. */
export const PROGRAM_WORDS_MAX = 200_000
/** The most characters that a look behind may match. */
const LOOK_BEHIND_MAX = 255
const FOREVER = 2 ** 31 - 1

/** Throws PatternError. Captures whose name is not wanted are left out. */
export function compileTree(tree: RegexTree, wanted: (name: string) => boolean): RegexProgram {
  return new Compiler(wanted).compile(tree)
}

/** The characters that may come next; undefined if anything may, such as the end of the text. */
type Follow = CharSet | undefined

class Compiler {
  readonly #wanted: (name: string) => boolean
  readonly #code: number[] = []
  readonly #sets: CharSet[] = []
  readonly #setIndexes = new Map<string, number>()
  readonly #captures: Capture[] = []
  /** Words that contain a slot of a loop or a look behind. Those slots come after the slots of all captures. */
  readonly #late: { readonly at: number; readonly extra: number }[] = []
  #extraSlots = 0
  #unicodeWords = false
  readonly #firsts = new Map<RegexTree, First>()
  readonly #lengths = new Map<RegexTree, Length>()

  constructor(wanted: (name: string) => boolean) {
    this.#wanted = wanted
  }

  compile(tree: RegexTree): RegexProgram {
    this.#tree(tree, undefined)
    this.#emit(END)
    const captureSlots = this.#captures.length * 2
    for (const { at, extra } of this.#late) this.#code[at] = captureSlots + extra
    const first = this.#first(tree)
    return {
      first: first.empty ? ANY : this.#set(first.set),
      code: Int32Array.from(this.#code),
      sets: this.#sets,
      captures: this.#captures,
      slots: captureSlots + this.#extraSlots,
      begins: beginning(tree),
      unicodeWords: this.#unicodeWords,
    }
  }

  #tree(tree: RegexTree, follow: Follow): void {
    switch (tree.kind) {
      case 'empty':
        break
      case 'char':
        this.#emit(CHAR, this.#set(tree.set))
        break
      case 'place':
        this.#emit(AT, PLACES.indexOf(tree.place))
        if (/unicode/i.test(tree.place)) this.#unicodeWords = true
        break
      case 'sequence':
        this.#sequence(tree.parts, follow)
        break
      case 'choice':
        this.#choice(tree.options, follow)
        break
      case 'repeat':
        if (tree.body.kind === 'char') this.#run(tree.body.set, tree, follow)
        else if (tree.mode === 'possessive') this.#atomic({ ...tree, mode: 'greedy' })
        else this.#repeat(tree, follow)
        break
      case 'capture': {
        if (!this.#wanted(tree.name)) {
          this.#tree(tree.body, follow)
          break
        }
        const slot = 2 * this.#captures.length
        this.#captures.push({ name: tree.name, inQuotes: tree.inQuotes })
        this.#emit(SAVE, slot)
        this.#tree(tree.body, follow)
        this.#emit(SAVE, slot + 1)
        break
      }
      case 'look': {
        const { least, most } = tree.behind ? this.#length(tree.body) : NO_LENGTH
        if (most > LOOK_BEHIND_MAX) {
          throw new PatternError(`a look behind may be at most ${LOOK_BEHIND_MAX} characters long`)
        }
        const at = this.#emit(LOOK, tree.negative ? 1 : 0, least, tree.behind ? most : -1, 0, 0)
        this.#tree(tree.body, undefined)
        if (tree.behind) {
          const extra = this.#extraSlots++
          this.#late.push({ at: at + 5, extra }, { at: this.#emit(HERE, 0) + 1, extra })
        }
        this.#emit(END)
        this.#code[at + 4] = this.#code.length
        break
      }
      case 'atomic':
        this.#atomic(tree.body)
        break
    }
  }

  #sequence(parts: readonly RegexTree[], follow: Follow): void {
    const follows: Follow[] = new Array(parts.length)
    let behind = follow
    for (let index = parts.length - 1; index >= 0; index--) {
      follows[index] = behind
      behind = this.#before(parts[index]!, behind)
    }
    parts.forEach((part, index) => {
      this.#tree(part, follows[index])
    })
  }

  #choice(options: readonly RegexTree[], follow: Follow): void {
    const ends: number[] = []
    options.forEach((option, index) => {
      if (index === options.length - 1) {
        this.#tree(option, follow)
        return
      }
      const rest = options.slice(index + 1).map((other) => this.#before(other, follow))
      const any = rest.some((set) => set === undefined)
      const split = this.#emit(SPLIT, 0, 0, 0, 0)
      this.#code[split + 1] = this.#code.length
      this.#code[split + 3] = this.#followSet(this.#before(option, follow))
      this.#code[split + 4] = any ? ANY : this.#set(unite(...(rest as CharSet[])))
      this.#tree(option, follow)
      ends.push(this.#emit(GOTO, 0) + 1)
      this.#code[split + 2] = this.#code.length
    })
    for (const end of ends) this.#code[end] = this.#code.length
  }

  #run(set: CharSet, { min, max, mode }: RegexTree & { kind: 'repeat' }, follow: Follow): void {
    if (max === 0) return
    const most = Math.min(max, FOREVER)
    // If no character of an unlimited run can follow it, only one length of the run is possible.
    const decided =
      max === Number.POSITIVE_INFINITY && follow !== undefined && isEmpty(intersect(set, follow))
    const how = mode === 'possessive' || decided ? POSSESSIVE : mode === 'lazy' ? LAZY : GREEDY
    this.#emit(RUN, this.#set(set), min, most, this.#followSet(follow), how)
  }

  #repeat(tree: RegexTree & { kind: 'repeat' }, follow: Follow): void {
    const { body, min, max, mode } = tree
    const again = this.#before(body, follow)
    const inside = again === undefined || follow === undefined ? undefined : unite(again, follow)
    for (let count = 0; count < min; count++) this.#tree(body, inside)
    if (max === Number.POSITIVE_INFINITY) {
      this.#loop(body, inside, follow, mode === 'lazy')
      return
    }
    const splits: number[] = []
    for (let count = min; count < max; count++) {
      splits.push(this.#split(body, follow, mode === 'lazy'))
      this.#tree(body, inside)
    }
    for (const split of splits) this.#close(split, mode === 'lazy')
  }

  #loop(body: RegexTree, inside: Follow, follow: Follow, lazy: boolean): void {
    const start = this.#code.length
    const split = this.#split(body, follow, lazy)
    const empty = this.#length(body).least === 0
    const extra = empty ? this.#extraSlots++ : -1
    if (empty) this.#late.push({ at: this.#emit(SAVE, 0) + 1, extra })
    this.#tree(body, inside)
    if (empty) this.#late.push({ at: this.#emit(MOVED, 0) + 1, extra })
    this.#emit(GOTO, start)
    this.#close(split, lazy)
  }

  /** Jumps into the body, which comes right after it, or past the body to the address where `close` is called. */
  #split(body: RegexTree, follow: Follow, lazy: boolean): number {
    const enter = this.#followSet(this.#before(body, follow))
    const leave = this.#followSet(follow)
    const split = this.#emit(SPLIT, 0, 0, lazy ? leave : enter, lazy ? enter : leave)
    this.#code[split + (lazy ? 2 : 1)] = this.#code.length
    return split
  }

  #close(split: number, lazy: boolean): void {
    this.#code[split + (lazy ? 1 : 2)] = this.#code.length
  }

  #atomic(body: RegexTree): void {
    const at = this.#emit(ATOMIC, 0)
    this.#tree(body, undefined)
    this.#emit(END)
    this.#code[at + 1] = this.#code.length
  }

  #emit(...words: number[]): number {
    const at = this.#code.length
    if (at + words.length > PROGRAM_WORDS_MAX) throw new PatternError('the pattern is too large')
    for (const word of words) this.#code.push(word)
    return at
  }

  #set(set: CharSet): number {
    const key = set.join(' ')
    let index = this.#setIndexes.get(key)
    if (index === undefined) {
      index = this.#sets.push(set) - 1
      this.#setIndexes.set(key, index)
    }
    return index
  }

  #followSet(follow: Follow): number {
    return follow === undefined ? ANY : this.#set(follow)
  }

  /** The characters that may come first where the tree is to match, with `follow` after it. */
  #before(tree: RegexTree, follow: Follow): Follow {
    const first = this.#first(tree)
    if (!first.empty) return first.set
    return follow === undefined ? undefined : unite(first.set, follow)
  }

  #first(tree: RegexTree): First {
    let first = this.#firsts.get(tree)
    if (first === undefined) {
      first = this.#findFirst(tree)
      this.#firsts.set(tree, first)
    }
    return first
  }

  #findFirst(tree: RegexTree): First {
    switch (tree.kind) {
      case 'char':
        return { set: tree.set, empty: false }
      case 'sequence': {
        const sets: CharSet[] = []
        for (const part of tree.parts) {
          const first = this.#first(part)
          sets.push(first.set)
          if (!first.empty) return { set: unite(...sets), empty: false }
        }
        return { set: unite(...sets), empty: true }
      }
      case 'choice': {
        const firsts = tree.options.map((option) => this.#first(option))
        return { set: unite(...firsts.map(({ set }) => set)), empty: firsts.some(({ empty }) => empty) }
      }
      case 'repeat': {
        const first = this.#first(tree.body)
        return { set: first.set, empty: first.empty || tree.min === 0 }
      }
      case 'capture':
      case 'atomic':
        return this.#first(tree.body)
      default:
        return { set: NO_CHARS, empty: true }
    }
  }

  #length(tree: RegexTree): Length {
    let length = this.#lengths.get(tree)
    if (length === undefined) {
      length = this.#findLength(tree)
      this.#lengths.set(tree, length)
    }
    return length
  }

  #findLength(tree: RegexTree): Length {
    switch (tree.kind) {
      case 'char':
        return { least: 1, most: 1 }
      case 'sequence': {
        const lengths = tree.parts.map((part) => this.#length(part))
        return {
          least: lengths.reduce((sum, { least }) => sum + least, 0),
          most: lengths.reduce((sum, { most }) => sum + most, 0),
        }
      }
      case 'choice': {
        const lengths = tree.options.map((option) => this.#length(option))
        return {
          least: Math.min(...lengths.map(({ least }) => least)),
          most: Math.max(...lengths.map(({ most }) => most)),
        }
      }
      case 'repeat': {
        const { least, most } = this.#length(tree.body)
        // A repeated empty body is empty.
        return { least: least * tree.min, most: most === 0 || tree.max === 0 ? 0 : most * tree.max }
      }
      case 'capture':
      case 'atomic':
        return this.#length(tree.body)
      default:
        return NO_LENGTH
    }
  }
}

interface First {
  readonly set: CharSet
  /** Whether the tree can match the empty text. */
  readonly empty: boolean
}

interface Length {
  readonly least: number
  readonly most: number
}

const NO_LENGTH: Length = { least: 0, most: 0 }

/** `^x` matches only at the start. If `.*x` fails at a place, it also fails in the rest of that line. */
function beginning(tree: RegexTree): RegexProgram['begins'] {
  switch (tree.kind) {
    case 'place':
      return tree.place === 'start' ? 'atStart' : 'anywhere'
    case 'sequence':
      return beginning(tree.parts[0]!)
    case 'capture':
      return beginning(tree.body)
    case 'repeat': {
      if (tree.min > 0 || tree.max !== Number.POSITIVE_INFINITY || tree.mode === 'possessive')
        return 'anywhere'
      if (tree.body.kind !== 'char') return 'anywhere'
      return isEmpty(intersect(negate(tree.body.set), negate(LINE_ENDS))) ? 'behindLineEnds' : 'anywhere'
    }
    default:
      return 'anywhere'
  }
}
