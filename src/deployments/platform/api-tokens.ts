/**
 * API tokens of a namespace: entries of the token file, named `<namespace>.<name>`, with the grants of a role. An entry that an operator
 * has made with such a name and such grants is one too.
 */
import { Mutex } from '../../../storage/mutex.ts'
import { parseGrant, printGrant } from '../../auth/grants.ts'
import { newSecret } from '../../auth/new-secret.ts'
import type { TokenEntry } from '../../auth/token-file.ts'
import { changeTokenFile, readTokenFile } from '../../auth/token-file-on-disk.ts'
import { hashOfSecret } from '../../auth/token-hash.ts'
import { TokenProblem } from '../../auth/token-problem.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { DeploymentError } from '../deployment-error.ts'
import type { PlatformRole } from './namespace-facts.ts'

/** In one namespace: the file is read as a whole. */
const TOKENS_MAX = 1_000
/** Of the name of an entry of the token file. */
const ENTRY_CHARACTERS_MAX = 64

export interface ApiToken {
  readonly name: string
  readonly role: PlatformRole
  readonly createdMs: number | undefined
}

export interface ApiTokensParts {
  readonly file: string
  readonly nowMs: () => number
  /** Makes the service use the file as it is now. */
  readonly reload: () => Promise<void>
  readonly report: (error: unknown) => void
}

const GRANTS = {
  viewer: 'read',
  editor: 'read,write,jobs',
  owner: 'read,write,admin,jobs',
} as const satisfies Record<PlatformRole, string>

export class ApiTokens {
  readonly #parts: ApiTokensParts
  /** The file has a lock for one change at a time, which does not wait. */
  readonly #changing = new Mutex()

  constructor(parts: ApiTokensParts) {
    this.#parts = parts
  }

  /** The longest name of a token of this namespace; 0 if there can be none. */
  static nameCharactersMax(namespace: NamespaceName): number {
    return Math.max(0, ENTRY_CHARACTERS_MAX - namespace.length - 1)
  }

  /** In the order of the file. */
  async list(namespace: NamespaceName): Promise<readonly ApiToken[]> {
    return tokensOf(await this.#read(), namespace)
  }

  /** Rejects with DeploymentError 'ApiTokenNotFound'. */
  async get(namespace: NamespaceName, name: string): Promise<ApiToken> {
    return found(await this.#read(), namespace, name)
  }

  /**
   * Resolves when the token can be used; its secret is not kept. Rejects with DeploymentError 'NameAlreadyExists', 'TooManyResources'.
   */
  async create(
    namespace: NamespaceName,
    name: string,
    role: PlatformRole,
  ): Promise<ApiToken & { readonly secret: string }> {
    const secret = newSecret()
    const createdMs = this.#parts.nowMs()
    const entry: TokenEntry = {
      name: entryName(namespace, name),
      hash: hashOfSecret(secret),
      grants: [parseGrant(`${namespace}:*:${GRANTS[role]}`)],
      createdMs,
    }
    await this.#change((entries) => {
      if (entries.some((other) => other.name === entry.name))
        throw new DeploymentError('NameAlreadyExists', `API token ${name} exists already.`, { name })
      if (tokensOf(entries, namespace).length >= TOKENS_MAX)
        throw new DeploymentError(
          'TooManyResources',
          `the namespace has ${TOKENS_MAX} API tokens, as many as it may have; delete one`,
        )
      return [...entries, entry]
    })
    return { name, role, createdMs, secret }
  }

  /** Resolves when the token is valid no more. Rejects with DeploymentError 'ApiTokenNotFound'. */
  delete(namespace: NamespaceName, name: string): Promise<void> {
    return this.#change((entries) => {
      found(entries, namespace, name)
      return entries.filter((entry) => entry.name !== entryName(namespace, name))
    })
  }

  /** All of a namespace that has been deleted. */
  async deleteAll(namespace: NamespaceName): Promise<void> {
    if ((await this.list(namespace)).length === 0) return
    await this.#change((entries) => entries.filter((entry) => tokenOf(entry, namespace) === undefined))
  }

  #read(): Promise<readonly TokenEntry[]> {
    return this.#usable(() => readTokenFile(this.#parts.file))
  }

  async #change(change: (entries: readonly TokenEntry[]) => readonly TokenEntry[]): Promise<void> {
    const { file, reload, nowMs } = this.#parts
    await this.#changing.run(() => this.#usable(() => changeTokenFile(file, change, { nowMs, waits: true })))
    await reload()
  }

  /** What is wrong with the file is for the operator; clients learn that it cannot be changed. */
  async #usable<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof TokenProblem)) throw error
      this.#parts.report(error)
      throw new ServiceError(
        'tokens_unusable',
        'the token file cannot be used; the log of the service says why',
        { cause: error },
      )
    }
  }
}

function found(entries: readonly TokenEntry[], namespace: NamespaceName, name: string): ApiToken {
  const token = tokensOf(entries, namespace).find((one) => one.name === name)
  if (token !== undefined) return token
  throw new DeploymentError(
    'ApiTokenNotFound',
    `API token ${name.slice(0, ENTRY_CHARACTERS_MAX)} does not exist.`,
    {
      namespace,
    },
  )
}

function tokensOf(entries: readonly TokenEntry[], namespace: NamespaceName): ApiToken[] {
  return entries.flatMap((entry) => tokenOf(entry, namespace) ?? [])
}

function tokenOf({ name, grants, createdMs }: TokenEntry, namespace: NamespaceName): ApiToken | undefined {
  const prefix = `${namespace}.`
  const [grant, ...others] = grants
  if (!name.startsWith(prefix) || grant === undefined || others.length > 0) return undefined
  const text = printGrant(grant)
  const role = ROLE_NAMES.find((one) => text === `${namespace}:*:${GRANTS[one]}`)
  return role && { name: name.slice(prefix.length), role, createdMs }
}

const ROLE_NAMES = Object.keys(GRANTS) as PlatformRole[]

function entryName(namespace: NamespaceName, name: string): string {
  return `${namespace}.${name}`
}
