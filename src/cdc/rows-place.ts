/**
 * Where the rows of captured tables are, where several nodes may capture:
 *
 *   capture-rows/place   {"folder"}: the id of the folder of the node that captured last
 *
 * A node that has captured before another one did has old rows. They are removed, so that tables are read again.
 */
import type { Catalog } from '../../storage/catalog.ts'
import { CaptureFolders } from './capture-folders.ts'

const COLLECTION = 'capture-rows'
const PLACE = 'place'

/** Call it before captures are loaded. `folder` is the id of `dataFolder`. */
export async function claimRows(catalog: Catalog, dataFolder: string, folder: string): Promise<void> {
  const last = (await catalog.get(COLLECTION, PLACE))?.document as { readonly folder: string } | undefined
  if (last?.folder === folder) return
  if (last !== undefined) await new CaptureFolders(dataFolder).removeOthers(new Set())
  await catalog.commit([{ collection: COLLECTION, id: PLACE, document: { folder } }])
}
