/** `millrace token`: adds, lists and revokes the tokens of a token file; a running service notices within a second or two. */
import { parseArgs } from 'node:util'
import { parseGrant, printGrant } from '../auth/grants.ts'
import { newSecret } from '../auth/new-secret.ts'
import { parseInstant, parseRate, parseTokenName, printInstant, type TokenEntry } from '../auth/token-file.ts'
import { changeTokenFile, makeTokenFolder, readTokenFile } from '../auth/token-file-on-disk.ts'
import { hashOfSecret } from '../auth/token-hash.ts'
import { TokenProblem } from '../auth/token-problem.ts'
import { type Command, type CommandEnvironment, UsageError } from './command.ts'

const HELP = `usage: millrace token add --auth FILE NAME --grant NAMESPACE:STREAM:ROLES ... [flags]
       millrace token list --auth FILE
       millrace token revoke --auth FILE NAME

add prints the secret of the new token on standard output, this once: the file keeps a hash of it.

  --auth FILE
        the token file, as in millrace --auth FILE; add makes it, and its folder, if they are missing
  --grant NAMESPACE:STREAM:ROLES
        what the token may do, and where; may be given more than once. Names may end in *; roles are read, write, admin
        and jobs, separated by commas: default:orders-*:read,write   prod:*:read   *:*:read,write,admin   prod:*:jobs
        A token with admin on NAMESPACE:* creates and deletes the namespace; one with jobs on NAMESPACE:* creates and
        deletes its tables, jobs and integrations
  --expires WHEN
        the token is good until then: 90d, 12h, 30m from now, or a moment like 2027-01-31T12:00:00Z (default never)
  --rate-events N
        events a second that the token may send (default no limit)
  --rate-bytes N
        bytes a second that the token may send (default no limit)

Exit code 0, or 2 if it could not be done.
`

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export const tokenCommand: Command = {
  name: 'token',
  about: 'add, list and revoke the tokens of --auth',
  help: HELP,
  async run([verb, ...args], environment) {
    if (verb === 'add') await add(args, environment)
    else if (verb === 'list') await list(args, environment)
    else if (verb === 'revoke') await revoke(args, environment)
    else throw new UsageError('use millrace token add, list or revoke (millrace token --help says how)')
    return 0
  },
}

async function add(args: readonly string[], { nowMs, print, tell }: CommandEnvironment): Promise<void> {
  const { values, positionals } = parsed(args)
  const file = fileOf(values)
  const name = nameOf(positionals)
  if (values.grant === undefined) throw new UsageError('a token needs at least one --grant')
  const secret = newSecret()
  const now = nowMs()
  const entry: TokenEntry = {
    name,
    hash: hashOfSecret(secret),
    grants: values.grant.map((grant) => of('--grant', () => parseGrant(grant))),
    createdMs: now,
    expiresMs: momentOf(values.expires, now),
    eventsPerSecond: rateOf('--rate-events', values['rate-events']),
    bytesPerSecond: rateOf('--rate-bytes', values['rate-bytes']),
  }
  makeTokenFolder(file)
  await changeTokenFile(
    file,
    (entries) => {
      if (entries.some((one) => one.name === name)) {
        throw new UsageError(`there is a token '${name}' already; revoke it first, or choose another name`)
      }
      return [...entries, entry]
    },
    { nowMs },
  )
  print(`${secret}\n`)
  tell(`token '${name}' is in ${file}; its secret is shown this once\n`)
}

async function list(args: readonly string[], { nowMs, print }: CommandEnvironment): Promise<void> {
  const { values, positionals } = parsed(args)
  if (positionals.length > 0) throw new UsageError('list takes no names')
  const now = nowMs()
  for (const entry of await readTokenFile(fileOf(values))) print(`${described(entry, now)}\n`)
}

async function revoke(args: readonly string[], { nowMs, tell }: CommandEnvironment): Promise<void> {
  const { values, positionals } = parsed(args)
  const file = fileOf(values)
  const name = nameOf(positionals)
  await readTokenFile(file) // does not create a missing file
  await changeTokenFile(
    file,
    (entries) => {
      const rest = entries.filter((entry) => entry.name !== name)
      if (rest.length === entries.length) throw new UsageError(`there is no token '${name}' in ${file}`)
      return rest
    },
    { nowMs },
  )
  tell(`token '${name}' is revoked; a running service takes a second or two to notice\n`)
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: true,
      options: {
        auth: { type: 'string' },
        grant: { type: 'string', multiple: true },
        expires: { type: 'string' },
        'rate-events': { type: 'string' },
        'rate-bytes': { type: 'string' },
      },
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`${reason.replaceAll('\n', ' ')} (millrace token --help says how)`, { cause })
  }
}

function fileOf({ auth }: { readonly auth?: string | undefined }): string {
  if (auth === undefined || auth.trim() === '') throw new UsageError('name the token file with --auth FILE')
  return auth
}

function nameOf(positionals: readonly string[]): string {
  const [name, ...others] = positionals
  if (name === undefined) throw new UsageError('name the token')
  if (others.length > 0) throw new UsageError('name one token')
  return parseTokenName(name)
}

function momentOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const [, count, unit] = /^([0-9]{1,6})([smhd])$/.exec(text) ?? []
  const ms =
    unit === undefined
      ? of('--expires', () => parseInstant(text))
      : nowMs + Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
  if (ms <= nowMs) throw new UsageError(`--expires is '${text}', which is over; name a moment to come`)
  return ms
}

function rateOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return of(flag, () => parseRate(/^[0-9]{1,15}$/.test(text) ? Number(text) : undefined))
}

function of<T>(flag: string, parse: () => T): T {
  try {
    return parse()
  } catch (problem) {
    if (!(problem instanceof TokenProblem)) throw problem
    throw new UsageError(`${flag}: ${problem.message}`)
  }
}

function described(entry: TokenEntry, nowMs: number): string {
  const { name, grants, expiresMs, eventsPerSecond, bytesPerSecond } = entry
  return [
    name,
    grants.map(printGrant).join(' '),
    ...(expiresMs === undefined
      ? []
      : [`${expiresMs <= nowMs ? 'expired' : 'expires'} ${printInstant(expiresMs)}`]),
    ...(eventsPerSecond === undefined ? [] : [`${eventsPerSecond} events/s`]),
    ...(bytesPerSecond === undefined ? [] : [`${bytesPerSecond} bytes/s`]),
  ].join('  ')
}
