/** What queries have on the disk, in a folder of their own. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes; 0 where there is no folder. */
export async function spilledBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0, // gone meanwhile
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

export async function removeSpilled(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}
