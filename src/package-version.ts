/** The version of this package. */
import { readFileSync } from 'node:fs'

export function packageVersion(): string {
  // From src/ and from dist/src/: the nearest package.json above.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
      return version
    } catch {
      // tries one level further up
    }
  }
  return 'unknown'
}
