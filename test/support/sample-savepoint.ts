/** A savepoint with one file, for tests of what is done with its folder. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { savedFile } from '../../src/jobs/savepoints/savepoint-files.ts'
import { encodeMetadata } from '../../src/jobs/savepoints/savepoint-metadata.ts'

/** Returns the path of its file. */
export async function sampleSavepoint(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'kept_w0-0.parquet')
  await writeFile(file, 'bytes of a table')
  const metadata = encodeMetadata({
    ...{
      format: 1,
      kind: 'CANONICAL',
      version: '0',
      timestampMs: 1,
      jid: 'a'.repeat(32),
      namespace: 'default',
    },
    ...{ name: 'x', statement: '', schemas: {}, signature: 's', stateFormat: 1, epoch: 7, drained: false },
    ...{ counters: {}, positions: [], tables: [], files: [await savedFile(file, undefined)] },
  })
  await writeFile(join(folder, '_metadata'), metadata)
  return file
}
