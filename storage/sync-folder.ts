/** The entry of a new file in its folder has to survive a power failure too. */
import { open } from 'node:fs/promises'

/** Makes the names of the files of a folder durable. No effect on Windows, where folders cannot be opened. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
