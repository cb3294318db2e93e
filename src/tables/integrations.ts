/**
 * Integrations: how the service reaches the systems in which tables have their data.
 *
 *   catalog:  integrations/<id>   {"namespace", "kind", "sourceService", …, "sealed"?, "createdMs", "number"}
 *
 * `sealed` is the user_config, encrypted as a whole (secret-key.ts). An integration without it is declared by the operator:
 * its address comes from --sources each time. Every namespace has one integration more, of its own streams, which is not stored.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry } from '../streams/registry.ts'
import type { ConnectorHosts } from './connector-hosts.ts'
import { idFrom } from './id.ts'
import { invalid, shown } from './refusal.ts'
import { type SecretKey, SecretProblem } from './secret-key.ts'
import type { Sources } from './sources.ts'
import type { Access, ContactState, Integration, IntegrationKind } from './table.ts'
import type { IntegrationRequest } from './table-service.ts'
import { accessOf, checkedConfig, kindOf, type UserConfig } from './user-config.ts'

/** Of one namespace. */
const INTEGRATIONS_MAX = 100
const NAME_CHARACTERS_MAX = 256
/** The source_service of the built-in integration. */
export const STREAMS_SERVICE = 'streams'
const BUILT_IN_PROJECT = 'millrace'

export interface IntegrationsParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly nowMs: () => number
  readonly secretKey: SecretKey
  readonly sources: Sources
  readonly hosts: ConnectorHosts
}

interface Stored {
  readonly integration: Integration
  readonly number: number
  /** The operator declares its source, so it has no user_config of its own. */
  readonly isDeclared: boolean
  /** Why its user_config cannot be read. */
  readonly problem: string | undefined
}

interface IntegrationDocument extends Omit<Integration, 'id' | 'userConfig' | 'isBuiltIn'> {
  readonly number: number
  readonly sealed?: string
}

export class Integrations {
  readonly #parts: IntegrationsParts
  /** By id, in order of creation. */
  readonly #stored = new Map<string, Stored>()
  readonly #contacts = new Map<string, ContactState>()
  readonly #builtIn = new Map<NamespaceName, Integration>()
  readonly #namespaceOfBuiltIn = new Map<string, NamespaceName>()
  #lastNumber = 0

  private constructor(parts: IntegrationsParts) {
    this.#parts = parts
  }

  static async load(parts: IntegrationsParts): Promise<Integrations> {
    const integrations = new Integrations(parts)
    const documents: [string, IntegrationDocument][] = []
    await parts.catalog.each('integrations', (id, document) => {
      documents.push([id, document as IntegrationDocument])
    })
    documents.sort(([, one], [, other]) => one.number - other.number)
    for (const [id, document] of documents) integrations.#put(integrations.#decoded(id, document))
    return integrations
  }

  /** Integrations whose user_config cannot be read, each with the reason: for the log at start. */
  problems(): readonly string[] {
    return [...this.#stored.values()].flatMap(({ integration, problem }) =>
      problem === undefined ? [] : [unreadable(integration.id, problem)],
    )
  }

  /** The built-in one first, then in order of creation. */
  of(namespace: NamespaceName): readonly Integration[] {
    const stored = [...this.#stored.values()].map(({ integration }) => integration)
    return [this.#builtInOf(namespace), ...stored.filter((one) => one.namespace === namespace)]
  }

  find(id: string): Integration | undefined {
    return this.#stored.get(id)?.integration ?? this.#findBuiltIn(id)
  }

  /** Throws ServiceError 'integration_not_found'. */
  get(id: string): Integration {
    const integration = this.find(id)
    if (integration !== undefined) return integration
    throw integrationNotFound(id)
  }

  /** Rejects with ServiceError 'invalid_table', 'service_not_found', 'integration_built_in'. */
  async create(namespace: NamespaceName, request: IntegrationRequest): Promise<Integration> {
    const { userConfig, ...services } = request
    for (const [member, name] of Object.entries(services)) assertName(member, name)
    const configured = kindOf(userConfig)
    const kind = configured ?? this.#declaredKind(namespace, request.sourceService)
    const config = configured === undefined ? undefined : this.#checked(configured, userConfig)
    return this.#parts.registry.change(async () => {
      this.#assertCapacity(namespace)
      const number = this.#lastNumber + 1
      const createdMs = this.#parts.nowMs()
      const id = idFrom('integration', namespace, createdMs, number)
      const integration = {
        id,
        namespace,
        kind,
        ...services,
        userConfig: config ?? {},
        createdMs,
        isBuiltIn: false,
      }
      return this.#store({ integration, number, isDeclared: config === undefined, problem: undefined })
    })
  }

  /**
   * Replaces the user_config; a member `"***"` keeps its value. Rejects with ServiceError 'integration_not_found',
   * 'integration_built_in', 'invalid_table'.
   */
  update(id: string, userConfig: Readonly<Record<string, unknown>>): Promise<Integration> {
    return this.#parts.registry.change(async () => {
      const before = this.#changeable(id, 'changed')
      const { kind } = before.integration
      const given = kindOf(userConfig)
      if (given === undefined && before.isDeclared) return before.integration
      if (kind === 'stream' || given !== kind) {
        const wanted = kind === 'stream' ? 'has no user_config' : `needs the user_config of kind ${kind}`
        throw invalid(`integration ${id} is of kind ${kind} and ${wanted}; create another integration`)
      }
      const config = this.#checked(kind, userConfig, before.integration.userConfig as UserConfig)
      const integration = { ...before.integration, userConfig: config }
      this.#contacts.delete(id)
      return this.#store({ ...before, integration, isDeclared: false, problem: undefined })
    })
  }

  /** `userOf` names a table that uses it. Rejects with ServiceError 'integration_not_found', 'integration_built_in', 'integration_in_use'. */
  delete(id: string, userOf: (id: string) => string | undefined): Promise<void> {
    return this.#parts.registry.change(async () => {
      this.#changeable(id, 'deleted')
      const table = userOf(id)
      if (table !== undefined) {
        throw new ServiceError('integration_in_use', `Integration ${id} is used by table ${table}`)
      }
      await this.#parts.catalog.commit([integrationChange(id, undefined)])
      this.#remove(id)
    })
  }

  /** Throws ServiceError 'secret_unusable', and 'invalid_table' if it cannot be reached by what is known of it, or must not be. */
  access({ id, kind, sourceService, userConfig }: Integration): Access {
    if (kind === 'stream') return { kind }
    const stored = this.#stored.get(id)
    if (stored?.problem !== undefined) throw secretUnusable(unreadable(id, stored.problem))
    if (stored?.isDeclared === true) return this.#declaredAccess(id, kind, sourceService)
    const access = accessOf(kind, userConfig as UserConfig)
    this.#parts.hosts.assertAllowed(access)
    return access
  }

  contact(id: string): ContactState {
    const problem = this.#stored.get(id)?.problem
    if (problem !== undefined)
      return { active: false, state: 'SECRET_UNREADABLE', reason: unreadable(id, problem) }
    return this.#contacts.get(id) ?? { active: true }
  }

  contacted(id: string, outcome: ContactState): void {
    if (this.#stored.has(id)) this.#contacts.set(id, outcome)
  }

  removalOf(namespace: NamespaceName): readonly CatalogChange[] {
    return this.#idsOf(namespace).map((id) => integrationChange(id, undefined))
  }

  removed(namespace: NamespaceName): void {
    for (const id of this.#idsOf(namespace)) this.#remove(id)
    const builtIn = this.#builtIn.get(namespace)
    if (builtIn !== undefined) this.#namespaceOfBuiltIn.delete(builtIn.id)
    this.#builtIn.delete(namespace)
  }

  #idsOf(namespace: NamespaceName): string[] {
    return [...this.#stored].flatMap(([id, { integration }]) =>
      integration.namespace === namespace ? [id] : [],
    )
  }

  #remove(id: string): void {
    this.#stored.delete(id)
    this.#contacts.delete(id)
  }

  #put(stored: Stored): void {
    this.#stored.set(stored.integration.id, stored)
    this.#lastNumber = Math.max(this.#lastNumber, stored.number)
  }

  /** Durable when it resolves. Only inside `registry.change`. */
  async #store(stored: Stored): Promise<Integration> {
    const { id, userConfig, isBuiltIn: _, ...rest } = stored.integration
    const document: IntegrationDocument = {
      ...rest,
      number: stored.number,
      ...(!stored.isDeclared && { sealed: await this.#sealed(id, userConfig) }),
    }
    await this.#parts.catalog.commit([integrationChange(id, document)])
    this.#put(stored)
    return stored.integration
  }

  async #sealed(id: string, userConfig: Integration['userConfig']): Promise<string> {
    try {
      return await this.#parts.secretKey.seal(JSON.stringify(userConfig), id)
    } catch (error) {
      if (error instanceof SecretProblem)
        throw secretUnusable(`user_config cannot be stored: ${error.message}`, error)
      throw error
    }
  }

  #decoded(id: string, { number, sealed, ...rest }: IntegrationDocument): Stored {
    const integration = { id, ...rest, userConfig: {}, isBuiltIn: false }
    if (sealed === undefined) return { integration, number, isDeclared: true, problem: undefined }
    const known = { number, isDeclared: false }
    try {
      const userConfig = JSON.parse(this.#parts.secretKey.unseal(sealed, id))
      return { ...known, integration: { ...integration, userConfig }, problem: undefined }
    } catch (error) {
      if (!(error instanceof SecretProblem)) throw error
      return { ...known, integration, problem: error.message }
    }
  }

  #declaredKind(namespace: NamespaceName, sourceService: string): IntegrationKind {
    const source = this.#parts.sources.get(sourceService)
    if (source !== undefined) return source.kind
    if (sourceService === STREAMS_SERVICE) {
      const { id } = this.#builtInOf(namespace)
      throw new ServiceError(
        'integration_built_in',
        `Integration ${id} with ${STREAMS_SERVICE} is built in; use it`,
      )
    }
    throw new ServiceError(
      'service_not_found',
      `Service ${sourceService} does not exist; name it in --sources, or give user_config.connection_uri or user_config.bootstrap_servers`,
    )
  }

  #declaredAccess(id: string, kind: IntegrationKind, sourceService: string): Access {
    const source = this.#parts.sources.get(sourceService)
    if (source?.kind === kind) return source.access
    const found =
      source === undefined ? 'not declared in --sources any more' : `of kind ${source.kind} in --sources now`
    throw invalid(`integration ${id} needs source ${shown(sourceService)} of kind ${kind}, which is ${found}`)
  }

  #checked(
    kind: 'postgres' | 'kafka',
    userConfig: Readonly<Record<string, unknown>>,
    before?: UserConfig,
  ): UserConfig {
    const config = checkedConfig(kind, userConfig, before)
    this.#parts.hosts.assertAllowed(accessOf(kind, config))
    return config
  }

  #changeable(id: string, done: string): Stored {
    const stored = this.#stored.get(id)
    if (stored !== undefined) return stored
    this.get(id)
    throw new ServiceError('integration_built_in', `Integration ${id} is built in and cannot be ${done}`)
  }

  #assertCapacity(namespace: NamespaceName): void {
    assertNamespace(this.#parts.registry, namespace)
    if (this.#idsOf(namespace).length >= INTEGRATIONS_MAX) {
      throw invalid(`there are ${INTEGRATIONS_MAX} integrations; delete one first`)
    }
  }

  #builtInOf(namespace: NamespaceName): Integration {
    let integration = this.#builtIn.get(namespace)
    if (integration === undefined) {
      integration = builtInIntegration(namespace)
      this.#builtIn.set(namespace, integration)
      this.#namespaceOfBuiltIn.set(integration.id, namespace)
    }
    return integration
  }

  #findBuiltIn(id: string): Integration | undefined {
    const { registry } = this.#parts
    if (!this.#namespaceOfBuiltIn.has(id)) for (const name of registry.namespaceNames()) this.#builtInOf(name)
    const namespace = this.#namespaceOfBuiltIn.get(id)
    if (namespace === undefined || registry.namespace(namespace) === undefined) return undefined
    return this.#builtInOf(namespace)
  }
}

function builtInIntegration(namespace: NamespaceName): Integration {
  return {
    id: idFrom('streams', namespace),
    namespace,
    kind: 'stream',
    sourceService: STREAMS_SERVICE,
    sourceProject: BUILT_IN_PROJECT,
    destService: namespace,
    destProject: BUILT_IN_PROJECT,
    userConfig: {},
    createdMs: 0,
    isBuiltIn: true,
  }
}

/** Throws ServiceError 'service_not_found'. */
export function assertNamespace(registry: Registry, namespace: NamespaceName): void {
  if (registry.namespace(namespace) !== undefined) return
  throw new ServiceError(
    'service_not_found',
    `Service ${namespace} does not exist; create namespace ${namespace} with PUT /v3/namespaces/${namespace}`,
  )
}

function assertName(member: string, name: string): void {
  if (name.length <= NAME_CHARACTERS_MAX && !/[\p{Cc}\p{Cs}]/u.test(name)) return
  throw invalid(
    `${member} is not a name of at most ${NAME_CHARACTERS_MAX} characters without control characters`,
  )
}

/** The service is the cause, not the request: an operator has to mend the key file. */
function secretUnusable(message: string, cause?: Error): ServiceError {
  return new ServiceError('secret_unusable', message, { cause })
}

function unreadable(id: string, problem: string): string {
  return `the user_config of integration ${id} cannot be read: ${problem}; restore that file and restart, or PUT the integration with its user_config`
}

export function integrationNotFound(id: string): ServiceError {
  const shownId = id.length > 100 ? `${id.slice(0, 100)}…` : id
  return new ServiceError('integration_not_found', `Integration ${shownId} does not exist`)
}

function integrationChange(id: string, document: unknown): CatalogChange {
  return { collection: 'integrations', id, document }
}
