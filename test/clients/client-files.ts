/**
 * The real clients of CDAP, of Aiven and of Flink, fetched by Maven, pip and Go into `node_modules/.cache/millrace-clients`, and what
 * they need of the machine. What is missing is a reason to skip, never a failure: these tests run where Java, Maven, Python and Go
 * are.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/millrace-clients', import.meta.url))
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
const FETCH_MS = 300_000
const LOCK_WAIT_MS = 100
/** Java 17 keeps these from the libraries of the time. */
const OPENED = ['java.lang', 'java.util'].flatMap((name) => ['--add-opens', `java.base/${name}=ALL-UNNAMED`])

/** A folder of files, or the reason why there is none. */
export type Fetched = { readonly folder: string } | { readonly missing: string }

export function clientJars(pom: 'cdap' | 'dashboard' | 'flink' | 'ingest', version?: string): Fetched {
  const missing = missingTool(['java', 'javac', 'mvn'])
  if (missing !== undefined) return { missing }
  return fetchOnce(version === undefined ? pom : `${pom}-${version}`, (folder) =>
    spawnSync(
      'mvn',
      [
        ...['-q', '-B', '-ntp', '-f', join(HERE, `${pom}.pom.xml`)],
        ...(version === undefined ? [] : [`-Dcdap.version=${version}`]),
        ...[COPY_DEPENDENCIES, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`],
      ],
      { encoding: 'utf8', timeout: FETCH_MS },
    ),
  )
}

export function pythonPackages(packages: readonly string[]): Fetched {
  return pythonFolder('python', ['--no-deps', ...packages])
}

/** A program with all that it needs, in a folder of its own. `needed`: versions of what it needs, as pip takes them. */
export function pythonProgram(name: string, version: string, needed: readonly string[] = []): Fetched {
  return pythonFolder(`${name}-${version}`, [`${name}==${version}`, ...needed])
}

function pythonFolder(name: string, packages: readonly string[]): Fetched {
  const missing = missingTool(['python3'])
  if (missing !== undefined) return { missing }
  const noPip = spawnSync('python3', ['-m', 'pip', '--version']).status !== 0
  if (noPip) return { missing: 'pip of python3 is not installed' }
  return fetchOnce(name, (folder) =>
    spawnSync('python3', ['-m', 'pip', 'install', '-q', '--target', folder, ...packages], {
      encoding: 'utf8',
      timeout: FETCH_MS,
    }),
  )
}

/** Arguments of `java` to run `main` of these jars, or of `source`, which is compiled against them. */
export function javaArguments(jars: string, main: string): string[] {
  return ['-Xmx200m', '-XX:TieredStopAtLevel=1', ...OPENED, '-cp', join(jars, '*'), main]
}

/** As above, for one of our own programs, which is compiled against the jars. Throws if it does not compile. */
export function compiled(jars: string, program: string): string[] {
  const classes = join(CACHE, 'classes', program)
  mkdirSync(classes, { recursive: true })
  const source = join(HERE, 'java', `${program}.java`)
  const calls = join(HERE, 'java', 'Calls.java')
  const { status, stderr } = spawnSync(
    'javac',
    ['-nowarn', '-cp', join(jars, '*'), '-d', classes, source, calls],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`${program}.java does not compile:\n${stderr}`)
  return javaArguments(jars, program).map((argument) =>
    argument === join(jars, '*') ? `${classes}:${argument}` : argument,
  )
}

/** The modules that `go/go.mod` names. `go.sum` has their checksums, so no checksum database is asked. */
export function goModules(name: string): Fetched {
  const go = goCommand()
  if (go === undefined) return { missing: 'go is not installed' }
  return fetchOnce(name, (folder) =>
    spawnSync(go, ['mod', 'download'], {
      ...{ cwd: join(HERE, 'go'), encoding: 'utf8', timeout: FETCH_MS },
      env: goEnvironment(folder),
    }),
  )
}

/** The program of `go/`, compiled against these modules. Throws if it does not compile. */
export function compiledGo(modules: string): string {
  const program = join(CACHE, 'go-program')
  const { status, stderr } = spawnSync(goCommand()!, ['build', '-o', program, '.'], {
    ...{ cwd: join(HERE, 'go'), encoding: 'utf8', timeout: FETCH_MS },
    env: { ...goEnvironment(modules), GOPROXY: 'off' },
  })
  if (status !== 0) throw new Error(`the program in go/ does not compile:\n${stderr}`)
  return program
}

/** Go's installer puts it where no PATH has it. */
function goCommand(): string | undefined {
  const isThere = (command: string) => spawnSync(command, ['version']).status === 0
  return ['go', '/usr/local/go/bin/go'].find(isThere)
}

function goEnvironment(modules: string): NodeJS.ProcessEnv {
  const flags = '-mod=readonly -modcacherw -buildvcs=false'
  return { ...process.env, GOMODCACHE: modules, GOFLAGS: flags, GOTOOLCHAIN: 'local', GOSUMDB: 'off' }
}

/** The folder is complete if it is there: it gets its name last. Two files may want it at once; one fetches it. */
function fetchOnce(
  name: string,
  fetch: (folder: string) => {
    readonly status: number | null
    readonly stdout: string
    readonly stderr: string
  },
): Fetched {
  const folder = join(CACHE, name)
  if (existsSync(folder)) return { folder }
  return alone(() => {
    if (existsSync(folder)) return { folder }
    const partial = `${folder}.partial`
    rmSync(partial, { recursive: true, force: true })
    mkdirSync(partial, { recursive: true })
    const { status, stdout, stderr } = fetch(partial)
    if (status !== 0) return { missing: `${name} could not be fetched: ${firstError(stdout + stderr)}` }
    renameSync(partial, folder)
    return { folder }
  })
}

/** One fetch at a time, of all processes: Maven's own repository is not made for two. A lock whose process ended is broken in time. */
function alone<T>(work: () => T): T {
  const lock = join(CACHE, 'lock')
  mkdirSync(CACHE, { recursive: true })
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch {
      const ageMs = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (ageMs > FETCH_MS) rmSync(lock, { recursive: true, force: true })
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_WAIT_MS)
    }
  }
  try {
    return work()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function firstError(output: string): string {
  return output.split('\n').find((line) => /error/i.test(line)) ?? output.slice(0, 200)
}

function missingTool(tools: readonly string[]): string | undefined {
  const missing = tools.find((tool) => spawnSync(tool, ['--version']).error !== undefined)
  return missing === undefined ? undefined : `${missing} is not installed`
}
