/** Functions of Flink over texts and JSON. Names are those that DuckDB's parser gives, in lower case. */
import { castNode, castTo, explicitCast } from './flink-casts.ts'
import {
  constantInteger,
  constantText,
  type FlinkFunction,
  type FlinkFunctions,
  numberOf,
  ofTexts,
  textOf,
} from './flink-function.ts'
import { PATTERN_MAX, TEXT_MAX } from './flink-macros.ts'
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type FlinkType,
  INT,
  isBytes,
  isText,
  STRING,
  type Typed,
} from './flink-types.ts'
import { checkRegex } from './java-patterns.ts'
import { call, constantOf, integer, isConstant, type Node, operator, TreeProblem, text } from './tree.ts'

const ARGUMENTS_MAX = 1000
const LENGTH_MAX = 2 ** 31 - 1

const typed = (node: Node, type: FlinkType = STRING): Typed => ({ node, type })
const whole = (argument: Typed, place: Node): Node => castTo(numberOf(argument, place).node, INT)

/** Its type is that of its argument, as UPPER of CHAR is CHAR. */
const sameText = (name: string): FlinkFunction => ({
  arity: [1, 1],
  rewrite: ([arg], place) => typed(call(name, textOf(arg!, place)), isText(arg!.type) ? arg!.type : STRING),
})

const trimming = (name: string): FlinkFunction => ({
  arity: [1, 2],
  rewrite: ([of, characters], place) =>
    typed(call(name, textOf(of!, place), characters === undefined ? text(' ') : textOf(characters, place))),
})

const substring: FlinkFunction = {
  arity: [2, 3],
  rewrite: ([of, start, length], place) => {
    const from = whole(start!, place)
    const count = length === undefined ? integer(LENGTH_MAX) : whole(length, place)
    return typed(call('flink_substring', textOf(of!, place), from, count))
  },
}

/** Refuses a constant length that every row would exceed; the macros do the same for lengths that depend on the row. */
function checkLength({ node }: Typed, name: string, place: Node): void {
  const value = isConstant(node) ? constantOf(node) : undefined
  if (typeof value !== 'number' || value <= TEXT_MAX) return
  throw new TreeProblem(`the result of ${name} would be longer than ${TEXT_MAX} characters`, place)
}

const padding = (isLeft: boolean): FlinkFunction => ({
  arity: [3, 3],
  rewrite: ([of, length, pad], place) => {
    checkLength(length!, isLeft ? 'LPAD' : 'RPAD', place)
    return typed(
      call(
        'flink_pad',
        textOf(of!, place),
        whole(length!, place),
        textOf(pad!, place),
        castTo(text(isLeft ? 'true' : 'false'), BOOLEAN),
      ),
    )
  },
})

/** The place of the first text in the second. */
const position = (of: number, part: number): FlinkFunction => ({
  arity: [2, 2],
  rewrite: (args, place) =>
    typed(castTo(call('instr', textOf(args[of]!, place), textOf(args[part]!, place)), INT), INT),
})

const length: FlinkFunction = {
  arity: [1, 1],
  rewrite: ([of], place) => typed(castTo(call('length', textOf(of!, place)), INT), INT),
}

const concat: FlinkFunction = {
  arity: [1, ARGUMENTS_MAX],
  rewrite: (args, place) =>
    typed(
      castTo(
        args.map((arg) => textOf(arg, place)).reduce((left, right) => operator('||', left, right)),
        STRING,
      ),
    ),
}

function regex(argument: Typed, place: Node): Node {
  if (!isConstant(argument.node)) return call('flink_pattern', textOf(argument, place))
  const pattern = String(constantOf(argument.node))
  if (pattern.length > PATTERN_MAX) {
    throw new TreeProblem(
      `the regular expression has ${pattern.length} characters; at most ${PATTERN_MAX} are possible`,
      place,
    )
  }
  checkRegex(pattern, place)
  return textOf(argument, place)
}

const regexpReplace: FlinkFunction = {
  arity: [3, 3],
  rewrite: ([of, pattern, replacement], place) => {
    // The replacement is a text: Flink has no groups in it.
    const by = call('replace', textOf(replacement!, place), text('\\'), text('\\\\'))
    return typed(call('regexp_replace', textOf(of!, place), regex(pattern!, place), by, text('g')))
  },
}

/** LIKE and NOT LIKE with ESCAPE. */
const like = (name: string): FlinkFunction => ({
  arity: [3, 3],
  rewrite: (args, place) => typed(call(name, ...args.map((arg) => textOf(arg, place))), BOOLEAN),
})

const likeOperator = (name: string): FlinkFunction => ({
  arity: [2, 2],
  rewrite: (args, place) => typed(operator(name, ...args.map((arg) => textOf(arg, place))), BOOLEAN),
})

/** Digest functions give lower-case hexadecimal digits. */
const digest = (name: string, digits: number): FlinkFunction => ({
  arity: [1, 1],
  rewrite: ([of], place) => {
    const input = isBytes(of!.type) ? of!.node : textOf(of!, place)
    return typed(call(name, input), { kind: 'CHAR', length: digits })
  },
})

const JSON_PATH = /^(?:\$)(?:\.[A-Za-z_][\w]*|\[\d+\]|\['[^'"\\]+'\]|\["[^'"\\]+"\])*$/

/** A path of SQL/JSON as DuckDB's: `lax $.a[0]['b']`. Both are lax. */
function jsonPath(argument: Typed, place: Node): Node {
  const path = constantText(argument, 'path of a JSON function', place).replace(/^\s*lax\s+/i, '')
  if (/^\s*strict\b/i.test(path))
    throw new TreeProblem('strict JSON paths are not supported here; use lax', place)
  if (!JSON_PATH.test(path))
    throw new TreeProblem(
      `the JSON path '${path}' is not supported here; use $, .name, ['name'] and [0]`,
      place,
    )
  return text(path.replaceAll(/\['([^']+)'\]|\["([^"]+)"\]/g, (_, a, b) => `."${a ?? b}"`))
}

const JSON_TYPES: Readonly<Record<string, FlinkType>> = {
  STRING,
  VARCHAR: STRING,
  BOOLEAN,
  INT,
  INTEGER: INT,
  DOUBLE,
}

/** JSON_VALUE(json, path), or with RETURNING and behaviours: (json, path, type, onEmpty, default, onError, default). */
const jsonValue: FlinkFunction = {
  arity: [2, 7],
  rewrite: ([json, path, ...clauses], place) => {
    const value = call('flink_json_value', textOf(json!, place), jsonPath(path!, place))
    const [returning, onEmpty, , onError] = clauses
    for (const behaviour of [onEmpty, onError])
      if (behaviour !== undefined && constantOf(behaviour.node) !== 'NULL')
        throw new TreeProblem(
          'JSON_VALUE with DEFAULT or ERROR ON EMPTY or ON ERROR is not supported here; use COALESCE(JSON_VALUE(…), …)',
          place,
        )
    if (returning === undefined) return typed(value)
    const name = constantText(returning, 'type of RETURNING', place).toUpperCase()
    const type = JSON_TYPES[name]
    if (type === undefined)
      throw new TreeProblem(`JSON_VALUE cannot return ${name}; use STRING, BOOLEAN, INT or DOUBLE`, place)
    return typed(castNode(value, explicitCast(STRING, type, true)!), type)
  },
}

const jsonFunction = (name: string, type: FlinkType): FlinkFunction => ({
  arity: [2, 2],
  rewrite: ([json, path], place) => typed(call(name, textOf(json!, place), jsonPath(path!, place)), type),
})

export const TEXT_FUNCTIONS: FlinkFunctions = {
  '||': {
    arity: [2, 2],
    rewrite: ([left, right], place) => {
      if (isBytes(left!.type) && isBytes(right!.type))
        return typed(operator('||', left!.node, right!.node), left!.type)
      // DuckDB gives a concatenation with a constant NULL another type.
      return typed(castTo(operator('||', textOf(left!, place), textOf(right!, place)), STRING))
    },
  },
  concat,
  concat_ws: ofTexts('concat_ws', [2, ARGUMENTS_MAX], STRING),
  substring,
  substr: substring,
  trim: trimming('trim'),
  btrim: trimming('trim'),
  ltrim: trimming('ltrim'),
  rtrim: trimming('rtrim'),
  upper: sameText('upper'),
  lower: sameText('lower'),
  char_length: length,
  character_length: length,
  replace: ofTexts('replace', [3, 3], STRING),
  position: position(0, 1),
  instr: position(0, 1),
  locate: position(1, 0),
  lpad: padding(true),
  rpad: padding(false),
  split_index: {
    arity: [3, 3],
    rewrite: ([of, by, index], place) =>
      typed(
        call(
          'flink_split_index',
          textOf(of!, place),
          textOf(by!, place),
          castTo(whole(index!, place), BIGINT),
        ),
      ),
  },
  repeat: {
    arity: [2, 2],
    rewrite: ([of, times], place) => {
      checkLength(times!, 'REPEAT', place)
      return typed(call('flink_repeat', textOf(of!, place), whole(times!, place)))
    },
  },
  reverse: ofTexts('reverse', [1, 1], STRING),
  left: {
    arity: [2, 2],
    rewrite: ([of, n], place) => typed(call('flink_left', textOf(of!, place), whole(n!, place))),
  },
  right: {
    arity: [2, 2],
    rewrite: ([of, n], place) => typed(call('flink_right', textOf(of!, place), whole(n!, place))),
  },
  initcap: ofTexts('flink_initcap', [1, 1], STRING),
  ascii: {
    arity: [1, 1],
    rewrite: ([of], place) => typed(call('ascii', textOf(of!, place)), INT),
  },
  regexp: {
    arity: [2, 2],
    rewrite: ([of, pattern], place) =>
      typed(call('regexp_matches', textOf(of!, place), regex(pattern!, place)), BOOLEAN),
  },
  regexp_extract: {
    arity: [2, 3],
    rewrite: ([of, pattern, group], place) => {
      const index = group === undefined ? 0 : constantInteger(group, 'group of REGEXP_EXTRACT', place)
      return typed(
        call(
          isConstant(pattern!.node) ? 'flink_regexp_extract' : 'flink_regexp_extract_any',
          textOf(of!, place),
          regex(pattern!, place),
          integer(index),
        ),
      )
    },
  },
  regexp_replace: regexpReplace,
  '~~': likeOperator('~~'),
  '!~~': likeOperator('!~~'),
  like_escape: like('like_escape'),
  not_like_escape: like('not_like_escape'),
  md5: digest('md5', 32),
  sha1: digest('sha1', 40),
  sha256: digest('sha256', 64),
  uuid: {
    arity: [0, 0],
    rewrite: () => typed(castTo(call('uuid'), STRING), { kind: 'CHAR', length: 36 }),
  },
  json_value: jsonValue,
  __json_value: jsonValue,
  json_query: jsonFunction('flink_json_query', STRING),
  json_exists: jsonFunction('flink_json_exists', BOOLEAN),
}
