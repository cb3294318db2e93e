/**
 * Parses a grok pattern into a tree: the regular expression, with the patterns it refers to inserted.
 *
 * The dialect is Java's, and Oniguruma's where the pattern sets need it:
 *
 *   characters   \t \n \r \f \e \a, \xHH, \x{…}, \uHHHH, \0oo, \cX, \Q…\E
 *   classes      . \d \w \s \D \W \S (ASCII, except under the flag U), \h a hex digit as in Oniguruma, \v, \R, [a-z&&[^x]], [:alpha:], \p{…}
 *   places       ^ $ \A \z \Z \b \B
 *   groups       (…), (?:…), (?<name>…), (?>…), (?=…), (?!…), (?<=…), (?<!…), (?imsxudU-imsxudU), (?i:…)
 *   repeats      * + ? {n} {n,} {n,m}, each greedy, lazy with ?, or possessive with +
 *
 * References back to a group (\1, \k<name>) are rejected: they cannot be matched in bounded time.
 *
 * Flags apply inside referenced patterns too, as if the reference were replaced in the text of the pattern. Flags that
 * a library pattern sets end with that pattern.
 *
 * syntax.ts has checked the structure, so this file throws only errors that syntax.ts does not look for. The tree of a
 * library pattern is built once for every set of flags and shared by all references.
 *
 * Indexes are asserted with `!`: syntax.ts has checked the structure, so the parts of each construct are present.
 */

import { type GrokLibrary, type GrokReference, matchReference } from '../grok-pattern.ts'
import {
  ALL_CHARS,
  type CharSet,
  charSet,
  DIGITS,
  foldCase,
  foldUnicodeCase,
  HEX_DIGITS,
  intersect,
  LINE_ENDS,
  negate,
  oneChar,
  posixClass,
  SPACES,
  unicodeClass,
  unicodeProperty,
  unite,
  VERTICAL_SPACES,
  WORD_CHARS,
} from './char-set.ts'
import { GROUP_START, QUANTIFIER } from './syntax.ts'

export type Place =
  | 'start'
  | 'end'
  | 'lineStart'
  | 'lineEnd'
  | 'lastLineEnd'
  | 'wordEdge'
  | 'noWordEdge'
  // Places where only LF ends a line.
  | 'unixLineStart'
  | 'unixLineEnd'
  | 'lastUnixLineEnd'
  // Places that depend on the word characters of all of Unicode.
  | 'unicodeWordEdge'
  | 'noUnicodeWordEdge'

export type RegexTree =
  | { readonly kind: 'empty' }
  | { readonly kind: 'char'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexTree[] }
  | { readonly kind: 'choice'; readonly options: readonly RegexTree[] }
  | {
      readonly kind: 'repeat'
      readonly body: RegexTree
      readonly min: number
      /** Infinity for no upper limit. */
      readonly max: number
      readonly mode: 'greedy' | 'lazy' | 'possessive'
    }
  | {
      readonly kind: 'capture'
      readonly name: string
      /** Whether the text is returned without the quotes around it. */
      readonly inQuotes: boolean
      readonly body: RegexTree
    }
  | {
      readonly kind: 'look'
      readonly behind: boolean
      readonly negative: boolean
      readonly body: RegexTree
    }
  | { readonly kind: 'atomic'; readonly body: RegexTree }
  | { readonly kind: 'place'; readonly place: Place }

/** The pattern cannot be compiled. The message has the reason. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

/** Nesting of patterns in patterns. Each level is a few recursive calls. */
const REFERENCE_DEPTH_MAX = 40
const QUANTIFIER_MAX = 100_000

export const EMPTY: RegexTree = { kind: 'empty' }

export class PatternTrees {
  readonly #library: GrokLibrary
  readonly #trees = new Map<string, RegexTree>()
  /** Library patterns that are being parsed. */
  readonly #open: string[] = []

  constructor(library: GrokLibrary) {
    this.#library = library
  }

  /** Throws PatternError. */
  parse(pattern: string, flags: Flags = NO_FLAGS): RegexTree {
    return new TreeReader(pattern, this).read(flags)
  }

  /** The tree of a library pattern, under the flags of the reference to it. */
  named(name: string, flags: Flags): RegexTree {
    const key = `${name} ${flagLetters(flags)}`
    const known = this.#trees.get(key)
    if (known !== undefined) return known
    const definition = this.#library.get(name)
    if (definition === undefined) throw new PatternError(`there is no pattern ${name}`)
    if (this.#open.includes(name)) throw new PatternError(`pattern ${name} refers to itself`)
    if (this.#open.length >= REFERENCE_DEPTH_MAX) {
      throw new PatternError(`patterns refer to each other more than ${REFERENCE_DEPTH_MAX} deep`)
    }
    this.#open.push(name)
    try {
      const tree = new TreeReader(definition, this, true).read(flags)
      this.#trees.set(key, tree)
      return tree
    } finally {
      this.#open.pop()
    }
  }
}

export interface Flags {
  readonly ignoreCase: boolean
  readonly multiline: boolean
  readonly dotAll: boolean
  readonly extended: boolean
  /** With ignoreCase: letters beyond ASCII too. */
  readonly unicodeCase: boolean
  /** Only LF ends a line. */
  readonly unixLines: boolean
  /** \w, \d, \s, \b and the POSIX classes cover all of Unicode. */
  readonly unicodeClasses: boolean
}

const NO_FLAGS: Flags = {
  ignoreCase: false,
  multiline: false,
  dotAll: false,
  extended: false,
  unicodeCase: false,
  unixLines: false,
  unicodeClasses: false,
}

function flagLetters(flags: Flags): string {
  const { ignoreCase, multiline, dotAll, extended, unicodeCase, unixLines, unicodeClasses } = flags
  return `${unixLines ? 'd' : ''}${ignoreCase ? 'i' : ''}${multiline ? 'm' : ''}${dotAll ? 's' : ''}${extended ? 'x' : ''}${unicodeCase ? 'u' : ''}${unicodeClasses ? 'U' : ''}`
}

class TreeReader {
  readonly #source: string
  readonly #trees: PatternTrees
  /** The pattern sets are written for Ruby. For example, Ruby's (?m) is Java's (?s). */
  readonly #ruby: boolean
  #at = 0

  constructor(source: string, trees: PatternTrees, ruby = false) {
    this.#source = source
    this.#trees = trees
    this.#ruby = ruby
  }

  read(flags: Flags): RegexTree {
    return this.#choice(flags)
  }

  /** Parses options up to the end or the closing parenthesis. Flags that an option sets apply to the next options too. */
  #choice(outer: Flags): RegexTree {
    const options: RegexTree[] = []
    let parts: RegexTree[] = []
    let flags = outer
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        this.#at++
        options.push(sequence(parts))
        parts = []
        continue
      }
      if (flags.extended && this.#skipExtended()) continue
      const atom = this.#atom(flags)
      if ('flags' in atom) flags = atom.flags
      else parts.push(this.#repeated(atom))
    }
    options.push(sequence(parts))
    return options.length === 1 ? options[0]! : { kind: 'choice', options }
  }

  /** Skips white space or a comment under (?x). */
  #skipExtended(): boolean {
    const char = this.#source[this.#at]!
    if (/\s/.test(char)) {
      this.#at++
      return true
    }
    if (char !== '#') return false
    const end = this.#source.indexOf('\n', this.#at)
    this.#at = end < 0 ? this.#source.length : end + 1
    return true
  }

  #repeated(body: RegexTree): RegexTree {
    const once = this.#repeatedOnce(body)
    // In Ruby a repetition may be repeated: `.?*`.
    return this.#ruby && once !== body ? this.#repeated(once) : once
  }

  #repeatedOnce(body: RegexTree): RegexTree {
    QUANTIFIER.lastIndex = this.#at
    const quantifier = QUANTIFIER.exec(this.#source)
    if (quantifier === null) return body
    const [text, least, most] = quantifier
    this.#at += text.length
    let min = text === '+' ? 1 : 0
    let max = text === '?' ? 1 : Number.POSITIVE_INFINITY
    if (least !== undefined) {
      min = Number(least)
      if (most === undefined) max = min
      else if (most !== '') max = Number(most)
    }
    if (min > QUANTIFIER_MAX || (max > QUANTIFIER_MAX && max !== Number.POSITIVE_INFINITY)) {
      throw new PatternError(`'${text}' is above ${QUANTIFIER_MAX} repetitions`)
    }
    const mark = this.#source[this.#at]
    if (mark !== '?' && mark !== '+') return { kind: 'repeat', body, min, max, mode: 'greedy' }
    this.#at++
    return { kind: 'repeat', body, min, max, mode: mark === '?' ? 'lazy' : 'possessive' }
  }

  /** Parses one construct that a quantifier may follow, or flags for the rest of the group. */
  #atom(flags: Flags): RegexTree | { readonly flags: Flags } {
    const char = this.#source[this.#at]!
    switch (char) {
      case '(':
        return this.#group(flags)
      case '[':
        return this.#char(this.#class(flags), flags)
      case '\\':
        return this.#escape(flags)
      case '.':
        this.#at++
        return { kind: 'char', set: dotSet(flags) }
      case '^':
        this.#at++
        return { kind: 'place', place: flags.multiline ? unixly('lineStart', flags) : 'start' }
      case '$':
        this.#at++
        return { kind: 'place', place: unixly(flags.multiline ? 'lineEnd' : 'lastLineEnd', flags) }
      case '%': {
        const reference = matchReference(this.#source, this.#at)
        if (reference === undefined) break
        this.#at += reference.length
        return this.#reference(reference, flags)
      }
    }
    this.#at++
    return this.#char(oneChar(char.charCodeAt(0)), flags)
  }

  #char(set: CharSet, flags: Flags): RegexTree {
    return { kind: 'char', set: folded(set, flags) }
  }

  /** A reference without a field is a capture named like its pattern, as in CDAP. */
  #reference({ pattern, field, definition }: GrokReference, flags: Flags): RegexTree {
    const body =
      definition === undefined ? this.#trees.named(pattern, flags) : this.#trees.parse(definition, flags)
    const inQuotes = definition === undefined && QUOTED_STRINGS.has(pattern)
    return { kind: 'capture', name: field ?? pattern, inQuotes, body }
  }

  #group(flags: Flags): RegexTree | { readonly flags: Flags } {
    if (this.#source[this.#at + 1] !== '?') {
      this.#at++
      return this.#closed(this.#choice(flags))
    }
    GROUP_START.lastIndex = this.#at + 2
    const [text, name] = GROUP_START.exec(this.#source)!
    this.#at += 2 + text.length
    if (name !== undefined) {
      return { kind: 'capture', name, inQuotes: false, body: this.#closed(this.#choice(flags)) }
    }
    switch (text) {
      case '=':
      case '!':
      case '<=':
      case '<!': {
        const body = this.#closed(this.#choice(flags))
        return { kind: 'look', behind: text.length === 2, negative: text.endsWith('!'), body }
      }
      case '>':
        return { kind: 'atomic', body: this.#closed(this.#choice(flags)) }
      default: {
        const inner = this.#flags(text, flags)
        return text.endsWith(')') ? { flags: inner } : this.#closed(this.#choice(inner))
      }
    }
  }

  #closed(body: RegexTree): RegexTree {
    this.#at++ // )
    return body
  }

  /** Parses `i-s:` or `m)` into the flags that apply from there on. */
  #flags(text: string, outer: Flags): Flags {
    const flags = { ...outer }
    let on = true
    for (const letter of text.slice(0, -1)) {
      if (letter === '-') on = false
      else if (letter === 'i') flags.ignoreCase = on
      else if (letter === 's' || (letter === 'm' && this.#ruby)) flags.dotAll = on
      else if (letter === 'm') flags.multiline = on
      else if (letter === 'x') flags.extended = on
      else if (letter === 'u') flags.unicodeCase = on
      else if (letter === 'U') flags.unicodeCase = flags.unicodeClasses = on
      else if (letter === 'd') flags.unixLines = on
      else throw new PatternError(`'${letter}' is not a flag`)
    }
    return flags
  }

  #escape(flags: Flags): RegexTree {
    const letter = this.#source[this.#at + 1]!
    const place = PLACES.get(letter)
    if (place !== undefined) {
      this.#at += 2
      return { kind: 'place', place: unicodely(unixly(place, flags), flags) }
    }
    if (letter === 'Q') {
      const end = this.#source.indexOf('\\E', this.#at + 2)
      const text = this.#source.slice(this.#at + 2, end < 0 ? undefined : end)
      this.#at = end < 0 ? this.#source.length : end + 2
      const units = text.split('').map((char) => this.#char(oneChar(char.charCodeAt(0)), flags))
      // A quantifier after a quotation applies to its last character.
      const last = units.pop()
      return last === undefined ? EMPTY : sequence([...units, this.#repeated(last)])
    }
    if (letter === 'R') {
      this.#at += 2
      const crlf = sequence([
        { kind: 'char', set: oneChar(0x0d) },
        { kind: 'char', set: oneChar(0x0a) },
      ])
      return {
        kind: 'atomic',
        body: { kind: 'choice', options: [crlf, { kind: 'char', set: VERTICAL_SPACES }] },
      }
    }
    if (/[1-9k]/.test(letter)) {
      throw new PatternError(`'\\${letter}' refers back to a group, which is not supported`)
    }
    return this.#char(this.#escapedSet(flags), flags)
  }

  /** The set that the escape at `at` stands for, inside or outside of a class. */
  #escapedSet(flags: Flags): CharSet {
    const letter = this.#source[this.#at + 1]!
    const rest = this.#at + 2
    this.#at = rest
    const set = (flags.unicodeClasses ? unicodeEscape(letter) : undefined) ?? ESCAPED_SETS.get(letter)
    if (set !== undefined) return set
    switch (letter) {
      case 'p':
      case 'P': {
        const [text, inBraces, alone] = this.#matched(/\{([^{}]*)\}|([A-Za-z])/y, rest, `\\${letter}`)
        const name = (inBraces ?? alone)!
        const property = namedClass(name, flags) ?? unicodeProperty(name.replace(/^Is/, ''))
        if (property === undefined) throw new PatternError(`'\\${letter}${text}' is not a known property`)
        return letter === 'p' ? property : negate(property)
      }
      case 'x': {
        const [, inBraces, plain] = this.#matched(/\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{1,2})/y, rest, '\\x')
        const code = Number.parseInt((inBraces ?? plain)!, 16)
        if (code > 0xffff) throw new PatternError('characters above \\uFFFF are not supported in escapes')
        return oneChar(code)
      }
      case 'u': {
        const [, digits] = this.#matched(/([0-9A-Fa-f]{4})/y, rest, '\\u')
        return oneChar(Number.parseInt(digits!, 16))
      }
      case '0': {
        const [, digits] = this.#matched(/([0-3]?[0-7]{1,2})/y, rest, '\\0')
        return oneChar(Number.parseInt(digits!, 8))
      }
      case 'c': {
        if (rest >= this.#source.length) throw new PatternError("'\\c' lacks its letter")
        this.#at = rest + 1
        return oneChar(this.#source.charCodeAt(rest) ^ 0x40)
      }
      default:
        return oneChar(letter.charCodeAt(0))
    }
  }

  #matched(pattern: RegExp, at: number, what: string): RegExpExecArray {
    pattern.lastIndex = at
    const match = pattern.exec(this.#source)
    if (match === null) throw new PatternError(`'${what}' lacks what it needs`)
    this.#at = at + match[0].length
    return match
  }

  /** Parses a class: the union of its parts. `&&` intersects the parts on its two sides. */
  #class(flags: Flags): CharSet {
    this.#at++
    const negative = this.#source[this.#at] === '^'
    if (negative) this.#at++
    let whole: CharSet | undefined
    let united: CharSet[] = []
    let first = true
    for (;;) {
      const char = this.#source[this.#at]
      if (char === ']' && !first) break
      first = false
      if (this.#source.startsWith('&&', this.#at)) {
        this.#at += 2
        const left = unite(...united)
        whole = whole === undefined ? left : intersect(whole, left)
        united = []
      } else if (this.#source.startsWith('[:', this.#at) && this.#posix(united, flags)) {
        // posix() has added the class
      } else if (char === '[') {
        united.push(this.#class(flags))
      } else {
        united.push(this.#range(flags))
      }
    }
    this.#at++
    const set = whole === undefined ? unite(...united) : intersect(whole, unite(...united))
    // Case first: without regard to case, [^a] excludes both a and A.
    const either = folded(set, flags)
    return negative ? negate(either) : either
  }

  /** Parses `[:alpha:]` in a class. */
  #posix(into: CharSet[], flags: Flags): boolean {
    const match = /\[:(\^?)([a-z]+):\]/y
    match.lastIndex = this.#at
    const found = match.exec(this.#source)
    if (found === null) return false
    const set = namedClass(found[2]!, flags)
    if (set === undefined) throw new PatternError(`'${found[0]}' is not a class`)
    into.push(found[1] === '^' ? negate(set) : set)
    this.#at += found[0].length
    return true
  }

  /** Parses a character of a class, an escape, or a range between two characters. */
  #range(flags: Flags): CharSet {
    if (this.#source.startsWith('\\Q', this.#at)) throw new PatternError("'\\Q' in a class is not supported")
    const from = this.#classChar(flags)
    const first = onlyUnit(from)
    const isRange =
      this.#source[this.#at] === '-' &&
      this.#source[this.#at + 1] !== ']' &&
      this.#source[this.#at + 1] !== '['
    if (!isRange || first === undefined) return from
    const dash = this.#at++
    const last = onlyUnit(this.#classChar(flags))
    if (last === undefined) {
      // [a-\d] is not a range: it is the character, the dash and the class.
      this.#at = dash + 1
      return unite(from, oneChar(0x2d))
    }
    if (last < first) {
      throw new PatternError(`the range '${this.#source.slice(dash - 1, dash + 2)}' does not ascend`)
    }
    return charSet([first, last])
  }

  #classChar(flags: Flags): CharSet {
    const char = this.#source[this.#at]!
    if (char !== '\\') {
      this.#at++
      return oneChar(char.charCodeAt(0))
    }
    if (this.#source[this.#at + 1] === 'b') {
      this.#at += 2
      return oneChar(0x08)
    }
    return this.#escapedSet(flags)
  }
}

/** The texts of these patterns are returned without their quotes, as in CDAP. */
const QUOTED_STRINGS: ReadonlySet<string> = new Set(['QUOTEDSTRING', 'QS'])

const PLACES: ReadonlyMap<string, Place> = new Map([
  ['A', 'start'],
  ['z', 'end'],
  ['Z', 'lastLineEnd'],
  ['b', 'wordEdge'],
  ['B', 'noWordEdge'],
])

const ESCAPED_SETS: ReadonlyMap<string, CharSet> = new Map([
  ['d', DIGITS],
  ['D', negate(DIGITS)],
  ['w', WORD_CHARS],
  ['W', negate(WORD_CHARS)],
  ['s', SPACES],
  ['S', negate(SPACES)],
  ['h', HEX_DIGITS],
  ['H', negate(HEX_DIGITS)],
  ['v', VERTICAL_SPACES],
  ['V', negate(VERTICAL_SPACES)],
  ['t', oneChar(0x09)],
  ['n', oneChar(0x0a)],
  ['r', oneChar(0x0d)],
  ['f', oneChar(0x0c)],
  ['a', oneChar(0x07)],
  ['e', oneChar(0x1b)],
])

const UNICODE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['d', 'digit'],
  ['w', 'word'],
  ['s', 'space'],
])

/** `\w` and similar escapes under the flag U. */
function unicodeEscape(letter: string): CharSet | undefined {
  const name = UNICODE_ESCAPES.get(letter.toLowerCase())
  if (name === undefined) return undefined
  const set = unicodeClass(name)!
  return letter === letter.toLowerCase() ? set : negate(set)
}

function namedClass(name: string, { unicodeClasses }: Flags): CharSet | undefined {
  return unicodeClasses ? unicodeClass(name) : posixClass(name)
}

function folded(set: CharSet, { ignoreCase, unicodeCase }: Flags): CharSet {
  if (!ignoreCase) return set
  return unicodeCase ? foldUnicodeCase(set) : foldCase(set)
}

function dotSet({ dotAll, unixLines }: Flags): CharSet {
  if (dotAll) return ALL_CHARS
  return negate(unixLines ? oneChar(0x0a) : LINE_ENDS)
}

const UNIX_PLACES: ReadonlyMap<Place, Place> = new Map([
  ['lineStart', 'unixLineStart'],
  ['lineEnd', 'unixLineEnd'],
  ['lastLineEnd', 'lastUnixLineEnd'],
])

function unixly(place: Place, { unixLines }: Flags): Place {
  return unixLines ? (UNIX_PLACES.get(place) ?? place) : place
}

const UNICODE_PLACES: ReadonlyMap<Place, Place> = new Map([
  ['wordEdge', 'unicodeWordEdge'],
  ['noWordEdge', 'noUnicodeWordEdge'],
])

function unicodely(place: Place, { unicodeClasses }: Flags): Place {
  return unicodeClasses ? (UNICODE_PLACES.get(place) ?? place) : place
}

/** The code unit of a set with only one; undefined for other sets. */
function onlyUnit([range, ...more]: CharSet): number | undefined {
  return range !== undefined && more.length === 0 && range[0] === range[1] ? range[0] : undefined
}

function sequence(parts: readonly RegexTree[]): RegexTree {
  if (parts.length === 0) return EMPTY
  return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
}
