/** Members of JSON texts as `->` and `->>` of PostgreSQL give them: a part of the text, so that numbers keep their digits. */

/** A member of an object by its name; of several with this name the last. Undefined: there is none, or it is no object. */
export function jsonMember(json: string, name: string): string | undefined {
  let found: string | undefined
  eachItem(json, '{', (start, end, key) => {
    if (key === name) found = json.slice(start, end)
  })
  return found
}

/** An element of an array; negative numbers count from its end. */
export function jsonElement(json: string, index: number): string | undefined {
  const items: string[] = []
  eachItem(json, '[', (start, end) => items.push(json.slice(start, end)))
  return items.at(index < 0 || index < items.length ? index : items.length)
}

/** As `jsonElement`; a jsonb that is no array and no object is an array of itself, as in PostgreSQL. */
export function jsonbElement(json: string, index: number): string | undefined {
  const isScalar = !'[{'.includes(json[space(json, 0)] ?? '[')
  if (isScalar) return index === 0 || index === -1 ? json : undefined
  return jsonElement(json, index)
}

/** The text of a value: of a string its characters, of null NULL. */
export function jsonText(value: string | undefined): string | null {
  if (value === undefined || value === 'null') return null
  return value.startsWith('"') ? (JSON.parse(value) as string) : value
}

function eachItem(
  json: string,
  opening: '{' | '[',
  found: (start: number, end: number, key: string | undefined) => void,
): void {
  let at = space(json, 0)
  if (json[at] !== opening) return
  at = space(json, at + 1)
  while (at < json.length && json[at] !== '}' && json[at] !== ']') {
    let key: string | undefined
    if (opening === '{') {
      const end = stringEnd(json, at)
      key = JSON.parse(json.slice(at, end)) as string
      at = space(json, space(json, end) + 1)
    }
    const end = valueEnd(json, at)
    found(at, end, key)
    at = space(json, end)
    if (json[at] === ',') at = space(json, at + 1)
  }
}

function space(json: string, from: number): number {
  let at = from
  while (at < json.length && ' \n\r\t'.includes(json[at]!)) at++
  return at
}

/** After the quote that closes the string which begins at `from`. */
function stringEnd(json: string, from: number): number {
  let at = from + 1
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

function valueEnd(json: string, from: number): number {
  let at = from
  let depth = 0
  while (at < json.length) {
    const character = json[at]!
    if (character === '"') at = stringEnd(json, at) - 1
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') {
      if (depth === 0) return at
      depth--
      if (depth === 0) return at + 1
    } else if (depth === 0 && ', \n\r\t'.includes(character)) return at
    at++
    if (depth === 0 && character === '"') return at
  }
  return at
}
