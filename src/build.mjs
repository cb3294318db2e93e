/**
 * Builds `dist/`: every TypeScript file of src, storage and bench without its types, as JavaScript that node runs.
 *
 *   node src/build.mjs              builds what has changed
 *   node src/build.mjs --start …    builds what has changed and starts the service with the flags that follow: `npm start`
 *
 * Types are replaced by spaces, so lines and columns of a stack trace are those of the source, and no source maps are
 * needed. Types are checked by `npm run typecheck`, not here. The only package it takes is one of the dependencies: a
 * checkout installed with `npm ci --omit=dev` builds too. Plain JavaScript, because Node 20 does not run TypeScript.
 *
 * `dist/.built` holds a SHA-256 over the names and contents of the sources. A build whose hash matches is current,
 * whatever the times of the files are: a copied `dist` is not built again.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
const STAMP = join(DIST, '.built')
const FOLDERS = ['src', 'storage', 'bench']
/** Relative imports that name TypeScript files: `from './log.ts'`, `import('./log.ts')`, `import './log.ts'`. */
const TS_IMPORT = /(\b(?:from|import)\s*\(?\s*'\.[^'\n]*)\.ts'/g

await buildIfChanged()
if (process.argv[2] === '--start') {
  process.argv.splice(1, 2, join(DIST, 'src', 'cli.js'))
  await import(pathToFileURL(process.argv[1]).href)
}

async function buildIfChanged() {
  const sources = FOLDERS.flatMap(readSources)
  const hash = hashOf(sources)
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return
  const { default: swc } = await import('@swc/wasm-typescript')
  rmSync(STAMP, { force: true })
  for (const { path, text } of sources) writeOutput(path, stripped(swc, path, text))
  removeOrphans(new Set(sources.map(({ path }) => outputOf(path))))
  writeWhole(STAMP, hash)
}

/** Every file that goes into the build, in the order of their names: `{ path: 'src/cli.ts', text }`. */
function readSources(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

/** This file is part of it: another way to build gives another result. */
function hashOf(sources) {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)))
  for (const { path, text } of sources) hash.update(`\0${path}\0${text}`)
  return hash.digest('hex')
}

function stripped(swc, path, text) {
  try {
    const { code } = swc.transformSync(text, { mode: 'strip-only', filename: path })
    return code.replace(TS_IMPORT, "$1.js'")
  } catch (error) {
    throw new Error(`${path} could not be built: ${error?.message ?? JSON.stringify(error)}`)
  }
}

function outputOf(path) {
  return path.replace(/\.ts$/, '.js')
}

function writeOutput(path, text) {
  writeWhole(join(DIST, outputOf(path)), text)
}

/** A service that runs from `dist` loads files late: each is the old one or the new one, never half of it. */
function writeWhole(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  mkdirSync(dirname(file), { recursive: true })
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, text)
  renameSync(unfinished, file)
}

function removeOrphans(outputs) {
  for (const folder of FOLDERS) {
    for (const entry of readdirSync(join(DIST, folder), { withFileTypes: true, recursive: true })) {
      const file = join(entry.parentPath, entry.name)
      if (entry.isFile() && !outputs.has(relative(DIST, file).replaceAll(sep, '/'))) rmSync(file)
    }
  }
}
