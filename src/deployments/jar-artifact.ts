/** A jar that was uploaded, as an artifact names it. */
import type { Artifact } from './resources.ts'

/** The last part of `jarUri` is the id of the jar. `jarUri`: that of the artifact, with the values of secrets. */
export function jarOf({ mainArgs = '' }: Extract<Artifact, { readonly kind: 'JAR' }>, jarUri: string) {
  return { id: jarUri.slice(jarUri.lastIndexOf('/') + 1), given: mainArgs.split(/\s+/).filter(Boolean) }
}
