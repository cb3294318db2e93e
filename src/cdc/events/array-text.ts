/**
 * Arrays of PostgreSQL as text -> JSON.
 *
 *   array    := bounds? '{' (element (',' element)*)? '}'
 *   bounds   := ('[' number ':' number ']')+ '='            only if an array does not begin at 1; JSON has no bounds
 *   element  := array | NULL | quoted | plain
 *   quoted   := '"' (character | '\' character)* '"'
 */

const QUOTE = 0x22
const COMMA = 0x2c
const SEMICOLON = 0x3b
const BRACKET = 0x5b
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d

/** `box[]` is the one array of PostgreSQL whose elements are not separated by commas. */
const BOX_ARRAY = 1020

export function arrayJson(text: string, typeOid: number, elementJson: (text: string) => string): string {
  const separator = typeOid === BOX_ARRAY ? SEMICOLON : COMMA
  let json = ''
  let at = text.charCodeAt(0) === BRACKET ? text.indexOf('=') + 1 : 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === OPEN) {
      json += '['
      at++
    } else if (code === CLOSE) {
      json += ']'
      at++
    } else if (code === separator) {
      json += ','
      at++
    } else if (code === QUOTE) {
      const end = quotedEnd(text, at + 1)
      json += elementJson(unquoted(text.slice(at + 1, end)))
      at = end + 1
    } else {
      const end = plainEnd(text, at, separator)
      const element = text.slice(at, end)
      json += element === 'NULL' ? 'null' : elementJson(element)
      at = end
    }
  }
  return json
}

function quotedEnd(text: string, start: number): number {
  let at = start
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at
}

function unquoted(text: string): string {
  return text.includes('\\') ? text.replace(/\\(.)/gsu, '$1') : text
}

function plainEnd(text: string, start: number, separator: number): number {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === separator || code === CLOSE) return at
  }
  return text.length
}
