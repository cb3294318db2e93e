/** All documents of a collection at once. */
import type { Catalog } from '../../storage/catalog.ts'

export async function listed(
  catalog: Catalog,
  collection: string,
): Promise<{ id: string; document: unknown }[]> {
  const entries: { id: string; document: unknown }[] = []
  await catalog.each(collection, (id, document) => entries.push({ id, document }))
  return entries
}
