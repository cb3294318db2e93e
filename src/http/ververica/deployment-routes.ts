/** Deployments and what belongs to them: targets, defaults, jobs, savepoints, events, secret values. */
import type { DeploymentService, ResourceFilter } from '../../deployments/deployment-service.ts'
import type { PlatformNamespaces } from '../../deployments/platform/platform-namespaces.ts'
import {
  defaultsJson,
  deploymentJson,
  eventJson,
  globalDefaultsJson,
  jobJson,
  savepointJson,
  secretJson,
  targetJson,
} from '../../deployments/resource-json.ts'
import type { JsonObject } from '../../deployments/resources.ts'
import type { JobOwner } from '../../jobs/job-service.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import type { Handler, HttpContext } from '../server/bindings.ts'
import { answer, answerList } from './answers.ts'
import { answerForm } from './media-types.ts'
import { bodyReader, existingNamespace } from './request.ts'

export interface DeploymentParts {
  readonly deployments: DeploymentService
  readonly namespaces: Namespaces
  readonly platformNamespaces: PlatformNamespaces
}

/** What a handler needs of a request; everything that is refused without looking at the resource is refused before it has this. */
interface Call {
  readonly c: HttpContext
  readonly namespace: NamespaceName
  /** Of the path. */
  readonly id: string
  readonly owner: JobOwner
}

type Show<T> = (resource: T) => JsonObject

export function deploymentRoutes(
  { deployments, namespaces, platformNamespaces }: DeploymentParts,
  options: AppOptions,
) {
  const readBody = bodyReader(options)

  /** With the name of the namespace as it was written when it was created. */
  function shown({ namespace }: Call, json: JsonObject): JsonObject {
    const name = platformNamespaces.shownName(namespace)
    return name === namespace
      ? json
      : { ...json, metadata: { ...(json.metadata as JsonObject), namespace: name } }
  }

  function callOf(c: HttpContext): Call {
    const namespace = existingNamespace(c, namespaces)
    const id = c.req.param('id') ?? c.req.param('name') ?? ''
    return { c, namespace, id, owner: c.get('client') ?? undefined }
  }

  function list<T>(kind: string, show: Show<T>, all: (call: Call) => Iterable<T>): Handler {
    const opening = { kind: `${kind}List`, apiVersion: 'v1', metadata: {} }
    return (c) => {
      const call = callOf(c)
      const form = answerForm(c)
      return answerList(
        c,
        form,
        { opening, name: 'items' },
        all(call),
        (item) => shown(call, show(item)),
        options,
      )
    }
  }

  function get<T>(show: Show<T>, one: (call: Call) => T): Handler {
    return (c) => {
      const call = callOf(c)
      const form = answerForm(c)
      return answer(c, form, shown(call, show(one(call))))
    }
  }

  /** POST, 201, and PATCH, 200. */
  function change<T>(show: Show<T>, make: (call: Call, body: JsonObject) => Promise<T>): Handler {
    return async (c) => {
      const call = callOf(c)
      const form = answerForm(c)
      const body = await readBody(c)
      const json = shown(call, show(await make(call, body)))
      c.set('subject', { namespace: call.namespace, id: idOf(json) ?? call.id })
      return answer(c, form, json, c.req.method === 'POST' ? 201 : 200)
    }
  }

  /** Answers with the resource that is gone. */
  function remove<T>(show: Show<T>, work: (call: Call) => Promise<T>): Handler {
    return async (c) => {
      const call = callOf(c)
      const form = answerForm(c)
      const json = shown(call, show(await work(call)))
      c.set('subject', { namespace: call.namespace, id: idOf(json) })
      return answer(c, form, json)
    }
  }

  return {
    deployments: {
      list: list('Deployment', deploymentJson, ({ c, namespace }) =>
        deployments.deployments(namespace, c.req.query('labelSelector')),
      ),
      create: change(deploymentJson, ({ namespace, owner }, body) =>
        deployments.createDeployment(namespace, body, owner),
      ),
      get: get(deploymentJson, ({ namespace, id }) => deployments.deployment(namespace, id)),
      patch: change(deploymentJson, ({ namespace, id, owner }, body) =>
        deployments.patchDeployment(namespace, id, body, owner),
      ),
      delete: remove(deploymentJson, ({ namespace, id }) => deployments.deleteDeployment(namespace, id)),
    },

    targets: {
      list: list('DeploymentTarget', targetJson, ({ namespace }) => deployments.targets(namespace)),
      create: change(targetJson, ({ namespace }, body) => deployments.createTarget(namespace, body)),
      get: get(targetJson, ({ namespace, id }) => deployments.target(namespace, id)),
      delete: remove(targetJson, ({ namespace, id }) => deployments.deleteTarget(namespace, id)),
    },

    defaults: {
      get: get(defaultsJson, ({ namespace }) => deployments.defaults(namespace)),
      patch: change(defaultsJson, ({ namespace }, body) => deployments.patchDefaults(namespace, body)),
      global: (c: HttpContext) => answer(c, answerForm(c), globalDefaultsJson(deployments.globalDefaults())),
    },

    jobs: {
      list: list('Job', jobJson, ({ c, namespace }) =>
        deployments.jobs(namespace, { deploymentId: c.req.query('deploymentId') }),
      ),
      get: get(jobJson, ({ namespace, id }) => deployments.job(namespace, id)),
    },

    savepoints: {
      list: list('Savepoint', savepointJson, ({ c, namespace }) =>
        deployments.savepoints(namespace, filterOf(c)),
      ),
      create: change(savepointJson, ({ namespace }, body) => deployments.createSavepoint(namespace, body)),
      get: get(savepointJson, ({ namespace, id }) => deployments.savepoint(namespace, id)),
      delete: remove(savepointJson, ({ namespace, id }) => deployments.deleteSavepoint(namespace, id)),
    },

    events: {
      list: list('Event', eventJson, ({ c, namespace }) => deployments.events(namespace, filterOf(c))),
    },

    secrets: {
      list: list('SecretValue', secretJson, ({ namespace }) => deployments.secrets(namespace)),
      create: change(secretJson, ({ namespace }, body) => deployments.createSecret(namespace, body)),
      get: get(secretJson, ({ namespace, id }) => deployments.secret(namespace, id)),
      patch: change(secretJson, ({ namespace, id }, body) => deployments.patchSecret(namespace, id, body)),
      delete: remove(secretJson, ({ namespace, id }) => deployments.deleteSecret(namespace, id)),
    },
  }
}

function filterOf(c: HttpContext): ResourceFilter {
  return { deploymentId: c.req.query('deploymentId'), jobId: c.req.query('jobId') }
}

function idOf({ metadata }: JsonObject): string | undefined {
  const { id } = metadata as { readonly id?: string }
  return id
}
