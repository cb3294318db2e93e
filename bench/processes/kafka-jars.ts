/**
 * The jars of Apache Kafka, from Maven artifacts: Java and Maven are enough. They are kept in a cache folder outside of the
 * repository: KAFKA_JARS, or ~/.cache/millrace-kafka.
 */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const VERSION = '4.1.0'
const CACHE = join(process.env.KAFKA_JARS ?? join(homedir(), '.cache', 'millrace-kafka'), VERSION)

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>`

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

/** Fetches the jars if they are not in the cache. Returns why that is not possible; undefined: they are there. */
export async function fetchKafka(): Promise<string | undefined> {
  for (const tool of ['java', 'mvn']) {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' })
    } catch {
      return `${tool} is not installed`
    }
  }
  if (existsSync(CACHE)) return undefined
  mkdirSync(join(CACHE, '..'), { recursive: true })
  const folder = mkdtempSync(join(CACHE, '..', 'fetching-'))
  try {
    writeFileSync(join(folder, 'pom.xml'), POM)
    await run('mvn', ['-q', '-B', COPY, '-DincludeScope=runtime', '-DoutputDirectory=libs'], {
      cwd: folder,
      timeout: 600_000,
    })
    renameSync(join(folder, 'libs'), CACHE)
    return undefined
  } catch (error) {
    return existsSync(CACHE)
      ? undefined
      : `the jars of Kafka cannot be fetched: ${String(error).slice(0, 200)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Memory of a broker, and how it is compiled: one that starts soon, one with thousands of topics, and one that is loaded for long. */
const FLAGS = {
  tests: ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  'many topics': ['-Xms128m', '-Xmx1536m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  measurements: ['-Xms256m', '-Xmx512m', '-XX:+UseG1GC'],
} as const

export type BrokerUse = keyof typeof FLAGS

/** Arguments of `java` with all jars. `fetchKafka` must have succeeded. */
export function kafkaJava(use: BrokerUse = 'tests'): string[] {
  const jars = readdirSync(CACHE).map((jar) => join(CACHE, jar))
  return [...FLAGS[use], '-cp', jars.join(':')]
}
