/** Tables that LevelDB began and never named are recognised, and deleted only where there is too little disk space. */
import { copyFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { removeUncommittedTables, uncommittedTables } from '../../storage/level/uncommitted-tables.ts'
import { makeSampleStore, readFolder } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const sample = sharedFolder()
beforeAll(() => makeSampleStore(sample.path))

async function copy(): Promise<{ folder: string; store: string }> {
  const folder = join(await temporaryFolder(), 'data')
  cpSync(sample.path, folder, { recursive: true })
  return { folder, store: join(folder, 'store') }
}

test('of a store that is whole nothing is taken away', async () => {
  const { folder, store } = await copy()
  expect(uncommittedTables(store)).toEqual({ names: [], bytes: 0 })
  await removeUncommittedTables(store)
  expect(await readFolder(folder)).toEqual(await readFolder(sample.path))
})

test('a table that the manifest never named goes, and the store is as it was', async () => {
  const { folder, store } = await copy()
  const table = readdirSync(store).find((name) => name.endsWith('.ldb'))!
  copyFileSync(join(store, table), join(store, '999998.ldb'))
  writeFileSync(join(store, '999999.ldb'), 'begun')
  const bytes = readFileSync(join(store, table)).length + 'begun'.length
  expect(uncommittedTables(store)).toEqual({ names: ['999998.ldb', '999999.ldb'], bytes })
  await removeUncommittedTables(store)
  expect(readdirSync(store)).not.toContain('999998.ldb')
  expect(readdirSync(store)).toContain(table)
  expect(await readFolder(folder)).toEqual(await readFolder(sample.path))
})

test('nothing is reported where the manifest is not whole', async () => {
  const { store } = await copy()
  writeFileSync(join(store, '999999.ldb'), 'begun')
  const manifest = join(store, readdirSync(store).find((name) => name.startsWith('MANIFEST'))!)
  const bytes = readFileSync(manifest)
  writeFileSync(manifest, bytes.subarray(0, bytes.length - 1))
  expect(uncommittedTables(store).names).toEqual([])
  await removeUncommittedTables(store)
  expect(readdirSync(store)).toContain('999999.ldb')
})
