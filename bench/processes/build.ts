/** A build of the service, as a user starts it. A run measures ours, and another one beside it if asked to. */
import { CLI } from '../paths.ts'

export interface Build {
  /** What the names of its cases end with: nothing for ours. */
  readonly suffix: string
  /** Its `dist/src/cli.js`. */
  readonly cli: string
}

export const OURS: Build = { suffix: '', cli: CLI }

const OTHER_SUFFIX = '@against'

export function otherBuild(cli: string): Build {
  return { suffix: OTHER_SUFFIX, cli }
}

export function isOfOtherBuild(caseName: string): boolean {
  return caseName.endsWith(OTHER_SUFFIX)
}

export interface Start {
  readonly dataFolder: string
  /** Command words before `node`, and flags for `node` itself. */
  readonly pin?: readonly string[]
  readonly nodeFlags?: readonly string[]
  readonly flags?: readonly string[]
}

export function commandOf(
  { cli }: Build,
  { dataFolder, pin = [], nodeFlags = [], flags = [] }: Start,
): string[] {
  return [...pin, process.execPath, ...nodeFlags, cli, '--port', '0', '--data', dataFolder, ...flags]
}
