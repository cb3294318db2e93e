/** Types that the tree names: those of literals, and the targets of casts. */
import {
  BIGINT,
  BOOLEAN,
  DATE,
  DOUBLE,
  decimal,
  type FlinkType,
  INT,
  STRING,
  TIME,
  timestamp,
  timestampLtz,
} from './flink-types.ts'
import { constantOf, type Node, TreeProblem } from './tree.ts'

const TYPE_IDS: Readonly<Record<string, FlinkType>> = {
  BOOLEAN,
  TINYINT: { kind: 'TINYINT' },
  SMALLINT: { kind: 'SMALLINT' },
  INTEGER: INT,
  BIGINT,
  FLOAT: { kind: 'FLOAT' },
  DOUBLE,
  VARCHAR: STRING,
  BLOB: { kind: 'BYTES' },
  DATE,
  TIME,
  TIMESTAMP: timestamp(6),
  TIMESTAMP_MS: timestamp(3),
  TIMESTAMP_S: timestamp(0),
  'TIMESTAMP WITH TIME ZONE': timestampLtz(6),
}

/** The type of a literal. */
export function constantType(node: Node): FlinkType {
  const { type, is_null, value } = node.value as { type: Node; is_null?: boolean; value?: unknown }
  if (is_null === true) return { kind: 'NULL' }
  if (type.id === 'VARCHAR') return { kind: 'CHAR', length: [...String(value)].length }
  if (type.id === 'DECIMAL') return decimalOf(type.type_info as Node)
  const known = TYPE_IDS[String(type.id)]
  if (known === undefined)
    throw new TreeProblem('the number is too large; BIGINT ends at 9223372036854775807', node)
  return known
}

const decimalOf = (info: Node): FlinkType => decimal(info.width as number, info.scale as number)

/** TIMESTAMP '…' and the like: the parser makes a cast of the text. A cast that is written out names its type differently. */
export function literalTime({ child, cast_type, try_cast }: Node): FlinkType | undefined {
  const literal = constantOf(child as Node)
  const id = String((cast_type as Node).id)
  if (typeof literal !== 'string' || try_cast === true) return undefined
  if (id === 'DATE') return /^\d{4}-\d\d-\d\d$/.test(literal) ? DATE : undefined
  if (id === 'TIME') return /^\d\d:\d\d:\d\d$/.test(literal) ? TIME : undefined
  if (id === 'BOOLEAN') return literal === 't' || literal === 'f' ? BOOLEAN : undefined
  if (id !== 'TIMESTAMP') return undefined
  return timestamp(/\.(\d{1,6})/.exec(literal)?.[1]?.length ?? 0)
}

/** X'4a', which the rewriter of tokens writes as a cast of the digits. */
export function isHexLiteral({ child, cast_type }: Node): boolean {
  const info = (cast_type as Node).type_info as Node | null
  return info?.name === '__hex' && typeof constantOf(child as Node) === 'string'
}

const PRECISION_MAX = 6

/** The type that a cast names. */
export function castTarget(type: Node, place: Node): FlinkType {
  const info = type.type_info as Node | null
  const known = TYPE_IDS[String(type.id)]
  if (known !== undefined) return known
  if (type.id === 'DECIMAL') return info === null ? decimal(10, 0) : decimalOf(info)
  if (type.id === 'LIST')
    return { kind: 'ARRAY', element: castTarget(info!.child_type as Node, place) } as FlinkType
  if (type.id === 'UNBOUND') return namedTarget(info!, place)
  throw new TreeProblem(`a cast to ${String(type.id)} is not supported here`, place)
}

function namedTarget(info: Node, place: Node): FlinkType {
  const name = String(info.name).toLowerCase()
  const [argument] = (info.user_type_modifiers ?? []) as readonly { value?: unknown }[]
  const number = typeof argument?.value === 'number' ? argument.value : undefined
  if (name === 'string') return STRING
  if (name === 'bytes' || name === 'varbinary' || name === 'binary') return { kind: 'BYTES' }
  if (name === '__char') return { kind: 'CHAR', length: number ?? 1 }
  if (name === '__varchar') return number === undefined ? STRING : { kind: 'VARCHAR', length: number }
  if (name === '__timestamp' || name === 'timestamp_ltz') {
    const precision = number ?? PRECISION_MAX
    if (precision > PRECISION_MAX)
      throw new TreeProblem(
        `the precision of a time is at most ${PRECISION_MAX} here, not ${precision}`,
        place,
      )
    return name === '__timestamp' ? timestamp(precision) : timestampLtz(precision)
  }
  throw new TreeProblem(`unknown type '${info.name}'`, place)
}
