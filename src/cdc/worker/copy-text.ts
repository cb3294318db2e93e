/**
 * Rows in the text format of COPY: values between tabs, `\N` for NULL, and `\` before the letters of control characters and before
 * itself.
 */

/** A line without its end. */
export function valuesOfLine(line: string): (string | null)[] {
  const values: (string | null)[] = line.split('\t')
  if (!line.includes('\\')) return values
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value === '\\N') values[i] = null
    else if (value.includes('\\'))
      values[i] = value.replace(/\\(.)/g, (_, letter: string) => LETTERS[letter] ?? letter)
  }
  return values
}

const LETTERS: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}
