/** Refusals of resources that do not exist. */
import type { NamespaceName } from '../streams/names.ts'
import { DeploymentError, type DeploymentReason } from './deployment-error.ts'

const SHOWN_CHARACTERS_MAX = 100

const KINDS = {
  DeploymentNotFound: 'Deployment',
  DeploymentTargetNotFound: 'DeploymentTarget',
  JobNotFound: 'Job',
  SavepointNotFound: 'Savepoint',
  SecretValueNotFound: 'SecretValue',
} as const satisfies Partial<Record<DeploymentReason, string>>

export function notFound(
  reason: keyof typeof KINDS,
  namespace: NamespaceName,
  idOrName: string,
): DeploymentError {
  const id = idOrName.length > SHOWN_CHARACTERS_MAX ? `${idOrName.slice(0, SHOWN_CHARACTERS_MAX)}…` : idOrName
  const message = `${KINDS[reason]} ${id} does not exist in namespace ${namespace}.`
  return new DeploymentError(reason, message, { namespace, id })
}
