/**
 * The header `Accept`: how much a client wants a media type.
 *
 * The parser is lenient: Java sends a lone `*`. Ranges that do not parse are skipped, and parameters other than `q` are ignored.
 * A request without the header, or without a range that parses, accepts every type.
 */
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'

/** `quality` 0 rejects the type. `named`: the header has the type itself, not only a range that includes it. */
export interface Preference {
  readonly quality: number
  readonly named: boolean
}

const ANYTHING: Preference = { quality: 1, named: false }
const NOTHING: Preference = { quality: 0, named: false }

/** Throws ServiceError 'not_acceptable' unless the client accepts one of `types`, which are in lower case. */
export function assertAcceptable(c: HttpContext, ...types: readonly string[]): void {
  const accept = c.req.header('accept')
  if (accept === undefined || types.some((type) => preference(accept, type).quality > 0)) return
  throw new ServiceError('not_acceptable', `Accept is '${accept}'; there is ${types.join(' and ')}`)
}

/** The most specific range that includes `type` counts, as in RFC 9110. */
export function preference(accept: string | undefined, type: string): Preference {
  if (accept === undefined || accept === '*/*') return ANYTHING
  const wanted = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*']
  let best: number | undefined
  let quality = 0
  let readable = false
  for (const text of accept.replace(/"(?:[^"\\]|\\.)*"/g, '').split(',')) {
    const [name = '', ...parameters] = text.toLowerCase().split(';')
    const range = name.trim() === '*' ? '*/*' : name.trim()
    if (!/^[^\s/]+\/[^\s/]+$/.test(range)) continue
    readable = true
    const rank = wanted.indexOf(range)
    if (rank === -1 || rank > (best ?? rank)) continue
    const own = qualityOf(parameters)
    quality = rank === best ? Math.max(quality, own) : own
    best = rank
  }
  if (!readable) return ANYTHING
  return best === undefined ? NOTHING : { quality, named: best === 0 }
}

function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const value = /^\s*q\s*=\s*([0-9]*\.?[0-9]*)\s*$/.exec(parameter)?.[1]
    if (value !== undefined && value !== '' && value !== '.') return Number(value)
  }
  return 1
}
