/**
 * The resources of all namespaces: in memory for readers, in the catalog for the next start.
 *
 *   catalog:  deployments, deployment-targets, deployment-defaults, deployment-jobs, deployment-savepoints, deployment-events, secret-values,
 *             removed-targets (the target `embedded` of a namespace that does not have it any more),
 *             event-times (the time of the last event of a namespace, when it is removed); ids: resource-collection.ts
 *
 * They are removed with their namespace, in the same commit.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import { DeploymentError } from './deployment-error.ts'
import { embeddedTarget, firstDefaults } from './first-resources.ts'
import { clientCharacters, DraftCollection, ResourceCollection, type Stored } from './resource-collection.ts'
import { derivedUuid, newUuid } from './resource-ids.ts'
import type {
  Deployment,
  DeploymentDefaults,
  DeploymentTarget,
  EventResource,
  JobResource,
  Metadata,
  SavepointResource,
  SecretValue,
} from './resources.ts'

/** Read access to what is durable. Lists are oldest first. */
export interface StoredResources {
  deployments(namespace: NamespaceName): readonly Deployment[]
  deployment(namespace: NamespaceName, id: string): Deployment | undefined
  /** Of all namespaces. */
  allDeployments(): Iterable<Deployment>
  targets(namespace: NamespaceName): readonly DeploymentTarget[]
  defaults(namespace: NamespaceName): DeploymentDefaults
  jobs(namespace: NamespaceName, deploymentId?: string): readonly JobResource[]
  job(namespace: NamespaceName, id: string): JobResource | undefined
  savepoints(namespace: NamespaceName, deploymentId?: string): readonly SavepointResource[]
  savepoint(namespace: NamespaceName, id: string): SavepointResource | undefined
  events(namespace: NamespaceName, deploymentId?: string): readonly EventResource[]
  secrets(namespace: NamespaceName): readonly SecretValue[]
}

/** What one change writes: all of it, or nothing. Reads are of its own namespace. */
export interface ResourceChange extends StoredResources {
  /**
   * Stores a resource as it is given, but for `metadata.resourceVersion`, one more than before (1 for a new one), and
   * `metadata.modifiedMs`, now. Returns what is stored.
   */
  putDeployment(deployment: Deployment): Deployment
  putTarget(target: DeploymentTarget): DeploymentTarget
  putDefaults(defaults: DeploymentDefaults): DeploymentDefaults
  putJob(job: JobResource): JobResource
  putSavepoint(savepoint: SavepointResource): SavepointResource
  putSecret(secret: SecretValue): SecretValue
  /** Adds an event; its time is after those of all others of the namespace. The oldest ones beyond 1,000 of the deployment go. */
  addEvent(deployment: Deployment, name: string, message: string, jobId?: string): void
  /** With its jobs, savepoints and events. */
  deleteDeployment(deployment: Deployment): void
  deleteTarget(target: DeploymentTarget): void
  deleteJob(job: JobResource): void
  deleteSavepoint(savepoint: SavepointResource): void
  deleteSecret(secret: SecretValue): void
  /** A document of another module, in the same write. */
  also(change: CatalogChange): void
}

export interface ResourceStore extends StoredResources {
  /**
   * One change at a time. `work` sees its own changes and is synchronous; what it throws cancels the change. Resolves when the change is
   * durable; only then do readers see it. Rejects with ServiceError 'namespace_not_found' if the namespace is gone.
   */
  change<T>(namespace: NamespaceName, work: (change: ResourceChange) => T): Promise<T>
  /** A new UUID. */
  newId(): string
  readonly nowMs: () => number
}

export interface StoreParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly nowMs: () => number
  readonly random: () => number
}

const EVENTS_OF_DEPLOYMENT_MAX = 1_000
/** Of the whole service, as they are in memory: about 100 MB. Beyond it, deployments with many events keep no more than they have. */
const EVENTS_ALL_MAX = 200_000
/** A deployment keeps these in any case. */
const EVENTS_OF_DEPLOYMENT_MIN = 20

/** Labels and annotations of all resources: they are in memory. */
const CLIENT_CHARACTERS_ALL_MAX = 64 * 1024 * 1024
/** Ids that were given to changes which are being made. Those of changes that failed are forgotten with the oldest. */
const ISSUED_MAX = 10_000

/** `embedded` of its namespace has been deleted. */
type RemovedTarget = Stored
/** The id is the namespace: one of each. */
interface EventTime extends Stored {
  readonly lastUs: number
}

class Collections {
  readonly deployments = new ResourceCollection<Deployment>('deployments')
  readonly targets = new ResourceCollection<DeploymentTarget>('deployment-targets')
  readonly defaults = new ResourceCollection<DeploymentDefaults>('deployment-defaults')
  readonly jobs = new ResourceCollection<JobResource>('deployment-jobs')
  readonly savepoints = new ResourceCollection<SavepointResource>('deployment-savepoints')
  readonly events = new ResourceCollection<EventResource>('deployment-events')
  readonly secrets = new ResourceCollection<SecretValue>('secret-values')
  readonly removedTargets = new ResourceCollection<RemovedTarget>('removed-targets')
  readonly eventTimes = new ResourceCollection<EventTime>('event-times')

  /** Of what clients make; jobs share the annotations of their deployment. */
  get clientCharacters(): number {
    const made = [this.deployments, this.targets, this.defaults, this.savepoints, this.secrets]
    return made.reduce((sum, one) => sum + one.clientCharacters, 0)
  }

  get all(): readonly ResourceCollection<Stored>[] {
    return Object.values(this) as ResourceCollection<Stored>[]
  }
}

/** A message of a namespace without its secrets. */
export type HideSecrets = (namespace: NamespaceName, text: string) => string

export class Resources implements ResourceStore, RemovalHook {
  readonly nowMs: () => number
  readonly #parts: StoreParts
  readonly #collections = new Collections()
  /** Ids that were given and are not stored yet. */
  readonly #issued = new Set<string>()
  /** By namespace: of the last event, in microseconds. */
  readonly #lastEventUs = new Map<NamespaceName, number>()
  #lastNumber = 0
  #hide: HideSecrets = (_, text) => text

  private constructor(parts: StoreParts) {
    this.#parts = parts
    this.nowMs = parts.nowMs
  }

  static async load(parts: StoreParts): Promise<Resources> {
    const store = new Resources(parts)
    const share = sharedTexts()
    for (const collection of store.#collections.all)
      store.#lastNumber = Math.max(store.#lastNumber, await collection.load(parts.catalog, share))
    for (const { metadata } of store.#collections.events.all())
      store.#happened(metadata.namespace, metadata.createdUs)
    for (const { metadata, lastUs } of store.#collections.eventTimes.all())
      store.#happened(metadata.namespace, lastUs)
    parts.registry.onRemoval(store)
    return store
  }

  deployments(namespace: NamespaceName): readonly Deployment[] {
    return this.#collections.deployments.list(namespace)
  }

  deployment(namespace: NamespaceName, id: string): Deployment | undefined {
    return this.#collections.deployments.get(namespace, id)
  }

  allDeployments(): Iterable<Deployment> {
    return this.#collections.deployments.all()
  }

  targets(namespace: NamespaceName): readonly DeploymentTarget[] {
    const { targets, removedTargets } = this.#collections
    return withEmbedded(namespace, targets.list(namespace), removedTargets.list(namespace))
  }

  defaults(namespace: NamespaceName): DeploymentDefaults {
    return this.#collections.defaults.list(namespace)[0] ?? firstDefaults(namespace)
  }

  jobs(namespace: NamespaceName, deploymentId?: string): readonly JobResource[] {
    return this.#collections.jobs.list(namespace, deploymentId)
  }

  job(namespace: NamespaceName, id: string): JobResource | undefined {
    return this.#collections.jobs.get(namespace, id)
  }

  savepoints(namespace: NamespaceName, deploymentId?: string): readonly SavepointResource[] {
    return this.#collections.savepoints.list(namespace, deploymentId)
  }

  savepoint(namespace: NamespaceName, id: string): SavepointResource | undefined {
    return this.#collections.savepoints.get(namespace, id)
  }

  events(namespace: NamespaceName, deploymentId?: string): readonly EventResource[] {
    return this.#collections.events.list(namespace, deploymentId)
  }

  secrets(namespace: NamespaceName): readonly SecretValue[] {
    return this.#collections.secrets.list(namespace)
  }

  change<T>(namespace: NamespaceName, work: (change: ResourceChange) => T): Promise<T> {
    const { registry, catalog } = this.#parts
    return registry.change(async () => {
      if (registry.namespace(namespace) === undefined)
        throw new ServiceError('namespace_not_found', `'namespace:${namespace}' was not found.`)
      const draft = new Draft(this.#collections, namespace, {
        nowMs: this.nowMs(),
        lastNumber: this.#lastNumber,
        lastEventUs: this.#lastEventUs.get(namespace) ?? 0,
        hide: (text) => this.#hide(namespace, text),
      })
      const result = work(draft)
      const changes = draft.changes()
      if (changes.length === 0) return result
      await catalog.commit(changes)
      draft.apply()
      this.#lastNumber = draft.lastNumber
      this.#happened(namespace, draft.lastEventUs)
      for (const id of draft.ids()) this.#issued.delete(id)
      return result
    })
  }

  /** What a job has failed with may name the secrets that it was started with. */
  onHide(hide: HideSecrets): void {
    this.#hide = hide
  }

  newId(): string {
    const id = newUuid(
      this.#parts.random,
      (one) => this.#issued.has(one) || this.#collections.all.some((collection) => collection.has(one)),
    )
    this.#issued.add(id)
    if (this.#issued.size > ISSUED_MAX) this.#issued.delete(this.#issued.values().next().value as string)
    return id
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[] {
    if (namespace === undefined) return []
    return this.#collections.all.flatMap((collection) => collection.removalOf(namespace))
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace === undefined) return
    for (const collection of this.#collections.all)
      for (const value of collection.list(namespace)) collection.remove(value)
  }

  #happened(namespace: NamespaceName, us: number): void {
    if (us > (this.#lastEventUs.get(namespace) ?? 0)) this.#lastEventUs.set(namespace, us)
  }
}

interface DraftStart {
  readonly nowMs: number
  readonly lastNumber: number
  readonly lastEventUs: number
  readonly hide: (text: string) => string
}

class Draft implements ResourceChange {
  lastNumber: number
  lastEventUs: number
  readonly #namespace: NamespaceName
  readonly #nowMs: number
  readonly #hide: (text: string) => string
  readonly #collections: Collections
  readonly #deployments
  readonly #targets
  readonly #defaults
  readonly #jobs
  readonly #savepoints
  readonly #events
  readonly #secrets
  readonly #removedTargets
  readonly #eventTimes
  readonly #drafts: readonly DraftCollection<Stored>[]
  readonly #others: CatalogChange[] = []
  /** Of deployments that get new ones. */
  readonly #listedEvents = new Map<string, EventResource[]>()
  #newEvents = 0

  constructor(collections: Collections, namespace: NamespaceName, start: DraftStart) {
    const draftOf = <T extends Stored>(collection: ResourceCollection<T>) =>
      new DraftCollection(collection, namespace, () => ++this.lastNumber)
    this.#collections = collections
    this.#namespace = namespace
    this.#nowMs = start.nowMs
    this.#hide = start.hide
    this.lastNumber = start.lastNumber
    this.lastEventUs = start.lastEventUs
    this.#deployments = draftOf(collections.deployments)
    this.#targets = draftOf(collections.targets)
    this.#defaults = draftOf(collections.defaults)
    this.#jobs = draftOf(collections.jobs)
    this.#savepoints = draftOf(collections.savepoints)
    this.#events = draftOf(collections.events)
    this.#secrets = draftOf(collections.secrets)
    this.#removedTargets = draftOf(collections.removedTargets)
    this.#eventTimes = draftOf(collections.eventTimes)
    this.#drafts = [
      ...[this.#deployments, this.#targets, this.#defaults, this.#jobs, this.#savepoints],
      ...[this.#events, this.#secrets, this.#removedTargets, this.#eventTimes],
    ] as unknown as DraftCollection<Stored>[]
  }

  deployments(namespace: NamespaceName): readonly Deployment[] {
    return this.#own(namespace) ? this.#deployments.list() : []
  }

  deployment(namespace: NamespaceName, id: string): Deployment | undefined {
    return this.#own(namespace) ? this.#deployments.get(id) : undefined
  }

  /** As they are durable. */
  allDeployments(): Iterable<Deployment> {
    return this.#collections.deployments.all()
  }

  targets(namespace: NamespaceName): readonly DeploymentTarget[] {
    if (!this.#own(namespace)) return []
    return withEmbedded(namespace, this.#targets.list(), this.#removedTargets.list())
  }

  defaults(namespace: NamespaceName): DeploymentDefaults {
    return (this.#own(namespace) ? this.#defaults.list()[0] : undefined) ?? firstDefaults(namespace)
  }

  jobs(namespace: NamespaceName, deploymentId?: string): readonly JobResource[] {
    return this.#own(namespace) ? this.#jobs.list(deploymentId) : []
  }

  job(namespace: NamespaceName, id: string): JobResource | undefined {
    return this.#own(namespace) ? this.#jobs.get(id) : undefined
  }

  savepoints(namespace: NamespaceName, deploymentId?: string): readonly SavepointResource[] {
    return this.#own(namespace) ? this.#savepoints.list(deploymentId) : []
  }

  savepoint(namespace: NamespaceName, id: string): SavepointResource | undefined {
    return this.#own(namespace) ? this.#savepoints.get(id) : undefined
  }

  events(namespace: NamespaceName, deploymentId?: string): readonly EventResource[] {
    return this.#own(namespace) ? this.#events.list(deploymentId) : []
  }

  secrets(namespace: NamespaceName): readonly SecretValue[] {
    return this.#own(namespace) ? this.#secrets.list() : []
  }

  putDeployment(deployment: Deployment): Deployment {
    const { status, progress } = deployment
    return this.#putOfClient(this.#deployments, {
      ...deployment,
      status: this.#withoutSecrets(status),
      ...(progress && { progress: this.#withoutSecrets(progress) }),
    })
  }

  putTarget(target: DeploymentTarget): DeploymentTarget {
    return this.#putOfClient(this.#targets, target)
  }

  putDefaults(defaults: DeploymentDefaults): DeploymentDefaults {
    const before = this.#defaults.before(defaults.metadata.id) ?? firstDefaults(this.#namespace)
    return this.#putOfClient(this.#defaults, defaults, before)
  }

  putJob(job: JobResource): JobResource {
    return this.#put(this.#jobs, { ...job, status: this.#withoutSecrets(job.status) })
  }

  putSavepoint(savepoint: SavepointResource): SavepointResource {
    return this.#putOfClient(this.#savepoints, {
      ...savepoint,
      status: this.#withoutSecrets(savepoint.status),
    })
  }

  putSecret(secret: SecretValue): SecretValue {
    return this.#putOfClient(this.#secrets, secret)
  }

  addEvent(deployment: Deployment, name: string, message: string, jobId?: string): void {
    const createdUs = Math.max(this.#nowMs * 1_000, this.lastEventUs + 1)
    const deploymentId = deployment.metadata.id
    const before = this.#eventsOf(deploymentId)
    const isFull = this.#collections.events.count + this.#newEvents >= EVENTS_ALL_MAX
    const most = isFull
      ? Math.min(Math.max(before.length, EVENTS_OF_DEPLOYMENT_MIN), EVENTS_OF_DEPLOYMENT_MAX)
      : EVENTS_OF_DEPLOYMENT_MAX
    for (const event of before.splice(0, Math.max(0, before.length + 1 - most))) this.#events.remove(event)
    this.lastEventUs = createdUs
    this.#newEvents++
    const event: EventResource = {
      metadata: {
        id: derivedUuid('event', this.#namespace, createdUs),
        ...{ name, namespace: this.#namespace, deploymentId },
        ...(jobId !== undefined && { jobId }),
        ...{ createdUs, resourceVersion: 1 },
      },
      message: this.#hide(message),
    }
    before.push(this.#events.put(event))
  }

  deleteDeployment(deployment: Deployment): void {
    const { id, namespace } = deployment.metadata
    for (const job of this.#jobs.list(id)) this.#jobs.remove(job)
    for (const savepoint of this.#savepoints.list(id)) this.#savepoints.remove(savepoint)
    const events = this.#events.list(id)
    for (const event of events) this.#events.remove(event)
    this.#listedEvents.delete(id)
    if (events.length > 0)
      this.#eventTimes.put({ metadata: { id: namespace, namespace }, lastUs: this.lastEventUs })
    this.#deployments.remove(deployment)
  }

  deleteTarget(target: DeploymentTarget): void {
    const { id, namespace } = target.metadata
    if (id === embeddedTarget(namespace).metadata.id)
      this.#removedTargets.put({ metadata: { id, namespace } })
    else this.#targets.remove(target)
  }

  deleteJob(job: JobResource): void {
    this.#jobs.remove(job)
  }

  deleteSavepoint(savepoint: SavepointResource): void {
    this.#savepoints.remove(savepoint)
  }

  deleteSecret(secret: SecretValue): void {
    this.#secrets.remove(secret)
  }

  also(change: CatalogChange): void {
    this.#others.push(change)
  }

  changes(): CatalogChange[] {
    return [...this.#drafts.flatMap((draft) => draft.changes()), ...this.#others]
  }

  apply(): void {
    for (const draft of this.#drafts) draft.apply()
  }

  /** Of what is stored now. */
  ids(): string[] {
    return this.#drafts.flatMap((draft) => draft.putIds())
  }

  /** Those of a deployment, also the new ones. */
  #eventsOf(deploymentId: string): EventResource[] {
    let events = this.#listedEvents.get(deploymentId)
    if (events === undefined) {
      events = this.#events.list(deploymentId)
      this.#listedEvents.set(deploymentId, events)
    }
    return events
  }

  #withoutSecrets<T>(value: T): T {
    return withSentences(value, this.#hide) as T
  }

  #own(namespace: NamespaceName): boolean {
    return namespace === this.#namespace
  }

  /** Throws DeploymentError 'TooManyResources' for labels and annotations that take too much memory. */
  #putOfClient<T extends Versioned>(
    draft: DraftCollection<T>,
    value: T,
    before = draft.before(value.metadata.id),
  ): T {
    const added = clientCharacters(value) - clientCharacters(before)
    if (added > 0 && this.#collections.clientCharacters + added > CLIENT_CHARACTERS_ALL_MAX)
      throw new DeploymentError(
        'TooManyResources',
        'the labels and annotations of all resources take too much memory; use shorter ones, or delete some resources first',
      )
    return this.#put(draft, value, before)
  }

  #put<T extends Versioned>(
    draft: DraftCollection<T>,
    value: T,
    before = draft.before(value.metadata.id),
  ): T {
    const resourceVersion = (before?.metadata.resourceVersion ?? 0) + 1
    const { createdMs } = value.metadata
    return draft.put({
      ...value,
      metadata: { ...value.metadata, resourceVersion, modifiedMs: Math.max(this.#nowMs, createdMs) },
    })
  }
}

type Versioned = Stored & { readonly metadata: Pick<Metadata, 'createdMs' | 'resourceVersion'> }

function withEmbedded(
  namespace: NamespaceName,
  stored: readonly DeploymentTarget[],
  removed: readonly RemovedTarget[],
): readonly DeploymentTarget[] {
  return removed.length > 0 ? stored : [embeddedTarget(namespace), ...stored]
}

/** Members that are sentences. Other texts, such as states, stay as they are whatever a secret is. */
const SENTENCES: ReadonlySet<string> = new Set(['message', 'suspensionFailed'])

/** A JSON value whose sentences are changed. */
function withSentences(value: unknown, change: (text: string) => string): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one) => withSentences(one, change))
  const members = Object.entries(value).map(([name, one]) => {
    const isSentence = typeof one === 'string' && SENTENCES.has(name)
    return [name, isSentence ? change(one) : withSentences(one, change)]
  })
  return Object.fromEntries(members)
}

/** Scripts of jobs and sentences of events are mostly the same: one copy of each in memory. */
function sharedTexts(): <T>(value: T) => T {
  const texts = new Map<string, string>()
  const shared = (text: string): string => {
    const known = texts.get(text)
    if (known === undefined) texts.set(text, text)
    return known ?? text
  }
  return (value) => {
    const { message, spec } = value as { message?: string; spec?: ScriptHolder }
    if (typeof message === 'string') return { ...value, message: shared(message) }
    const holder = spec?.template?.spec ?? spec
    const artifact = holder?.artifact
    if (artifact?.sqlScript !== undefined) artifact.sqlScript = shared(artifact.sqlScript)
    return value
  }
}

interface ScriptHolder {
  readonly artifact?: { sqlScript?: string }
  readonly template?: { readonly spec: { readonly artifact?: { sqlScript?: string } } }
}
