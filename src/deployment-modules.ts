/** The modules of deployments on one open store: resources and secrets, then what makes jobs of them. */
import type { Storage } from '../storage/storage.ts'
import { DeploymentError } from './deployments/deployment-error.ts'
import type { DeploymentService } from './deployments/deployment-service.ts'
import { Deployments } from './deployments/deployments.ts'
import { JobRequests } from './deployments/reconciler/job-requests.ts'
import { Reconciler } from './deployments/reconciler/reconciler.ts'
import { Resources } from './deployments/resource-store.ts'
import { SavepointDisposals } from './deployments/savepoint-disposals.ts'
import { SavepointResources } from './deployments/savepoint-resources.ts'
import { SecretValues } from './deployments/secret-values.ts'
import type { JarJobs } from './jars/jar-jobs.ts'
import type { TokenNamed } from './jobs/job-access.ts'
import type { JobOwner, JobService } from './jobs/job-service.ts'
import type { Limits } from './limits.ts'
import { ServiceError } from './service-error.ts'
import { CatalogStatements } from './sql-scripts/catalog-statements.ts'
import { catalogWords } from './sql-scripts/catalog-words.ts'
import type { SqlScriptService } from './sql-scripts/sql-script-service.ts'
import { SqlScripts } from './sql-scripts/sql-scripts.ts'
import type { NamespaceName } from './streams/names.ts'
import type { Registry } from './streams/registry.ts'
import type { Streams } from './streams/streams.ts'
import { SecretKey } from './tables/secret-key.ts'
import type { TableService } from './tables/table-service.ts'

export interface DeploymentStoreParts {
  readonly storage: Storage
  readonly registry: Registry
  readonly dataFolder: string
  readonly nowMs: () => number
  readonly random: () => number
}

/** What is loaded before jobs, which need secrets when they start. */
export interface DeploymentStore {
  readonly resources: Resources
  readonly secrets: SecretValues
}

export interface DeploymentModulesParts extends DeploymentStore {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly tables: TableService
  readonly jobs: JobService
  readonly jarJobs: JarJobs
  /** Undefined: tokens are not required. */
  readonly named: TokenNamed
  readonly nowMs: () => number
  readonly limits: Limits
  readonly report: (error: unknown) => void
}

export interface DeploymentModules {
  readonly deployments: DeploymentService
  readonly sqlScripts: SqlScriptService
  /** Call it when jobs are started, and the service answers requests. */
  start(): void
  /** Nothing of a deployment changes any more. Call it before jobs are stopped. */
  stop(): Promise<void>
}

export async function loadDeploymentStore(parts: DeploymentStoreParts): Promise<DeploymentStore> {
  const { storage, registry, dataFolder, nowMs, random } = parts
  const resources = await Resources.load({ catalog: storage.catalog, registry, nowMs, random })
  const secrets = new SecretValues(resources, await SecretKey.load(dataFolder))
  resources.onHide((namespace, text) => secrets.hide(namespace, text))
  return { resources, secrets }
}

/** Call it when jobs are loaded, before they are started. */
export function loadDeploymentModules(parts: DeploymentModulesParts): DeploymentModules {
  const {
    resources: store,
    secrets,
    storage,
    registry,
    streams,
    tables,
    jobs,
    jarJobs,
    limits,
    report,
  } = parts
  const { catalog } = storage
  tables.sql.onSecrets((text, namespace) => secretIn(secrets, text, namespace))
  const disposals = new SavepointDisposals({ catalog, jobs, report })
  const reconciler = new Reconciler({
    ...{ store, jobs, disposals, nowMs: parts.nowMs, report, timer: realTimer },
    owner: (name) => ownerNamed(name, parts.named),
    requests: new JobRequests({
      jars: jarJobs,
      resolveSecrets: (text, namespace) => secrets.resolve(namespace, text),
    }),
  })
  const sqlScripts = new SqlScripts({
    ...{ jobs, catalog: new CatalogStatements(tables) },
    words: (namespace) => catalogWords(tables, namespace),
  })
  const savepoints = new SavepointResources({ store, registry, reconciler, disposals })
  const deployments = new Deployments({
    ...{ store, streams, secrets, savepoints, reconciler, jars: jarJobs },
    scripts: sqlScripts,
    deploymentsMax: limits.maxDeployments,
  })
  return {
    deployments,
    sqlScripts,
    start() {
      reconciler.start()
      disposals.dispose()
    },
    async stop() {
      await Promise.all([reconciler.close(), disposals.close()])
    },
  }
}

/** Throws ServiceError 'secret_not_found', 'secret_unusable'. */
function secretIn(secrets: SecretValues, text: string, namespace: NamespaceName): string {
  try {
    return secrets.resolve(namespace, text)
  } catch (error) {
    if (!(error instanceof DeploymentError)) throw error
    throw new ServiceError('secret_not_found', error.message, { cause: error })
  }
}

/** Throws ServiceError 'no_grant'. Where tokens are not required, jobs have no owner. */
function ownerNamed(name: string | undefined, named: TokenNamed): JobOwner {
  if (named === undefined) return undefined
  const owner = name === undefined ? undefined : named(name)
  if (owner !== undefined) return owner
  const text =
    name === undefined
      ? 'the spec of the deployment was given without a token; PATCH it with one'
      : `token '${name}' is not valid any more`
  throw new ServiceError('no_grant', text)
}

/** It does not keep the process running. */
function realTimer(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}
