/** Compiles a pattern of grok and finds it in a text: the texts of the match's captures by name. */
import { GROK_LIBRARY } from '../../src/formats/patterns/index.ts'
import { RegexMatcher } from '../../src/formats/regex-match.ts'
import { compileTree } from '../../src/formats/regex-program.ts'
import { PatternTrees } from '../../src/formats/regex-tree.ts'

const TREES = new PatternTrees(GROK_LIBRARY)

/** `all` is the whole match. Of captures of a name the last that found something counts. */
export function finder(pattern: string): (text: string) => Record<string, string> | 'none' | 'tooLong' {
  const tree = TREES.parse(pattern)
  const whole = { kind: 'capture', name: 'all', inQuotes: false, body: tree } as const
  const program = compileTree(whole, () => true)
  const matcher = new RegexMatcher(program)
  return (text) => {
    const units = Uint16Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
    const outcome = matcher.find(units, text.length)
    if (outcome !== 'match') return outcome
    const found: Record<string, string> = {}
    program.captures.forEach(({ name }, index) => {
      const [from, to] = [matcher.slots[2 * index], matcher.slots[2 * index + 1]]
      if (to >= 0) found[name] = text.slice(from, to)
    })
    return found
  }
}
