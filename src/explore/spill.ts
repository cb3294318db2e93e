/** The folder into which the engine spills. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** The size in bytes; 0 if there is no folder. */
export async function spilledBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0, // removed since
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

export async function removeSpilled(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}
