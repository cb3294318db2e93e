/** Refusals of the deployments API that are more than a ServiceError: validation of members, and reasons of this API alone. */

export interface AttributeError {
  /** Path of the member, such as `spec.template.spec.artifact.kind`. */
  readonly attribute: string
  readonly message: string
}

/** All members of a request that are wrong, together. Becomes an ApiValidationException, status 400. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError'
  readonly errors: readonly AttributeError[]

  constructor(errors: readonly AttributeError[]) {
    super(`Validation failed for ${errors.length} attribute${errors.length === 1 ? '' : 's'}.`)
    this.errors = errors
  }
}

export type DeploymentReason =
  | 'InvalidLabelSelector'
  | 'SqlError'
  | 'DeploymentNotFound'
  | 'DeploymentTargetNotFound'
  | 'JobNotFound'
  | 'SavepointNotFound'
  | 'SecretValueNotFound'
  | 'ApiTokenNotFound'
  | 'DeploymentNotCancelled'
  | 'DeploymentTargetInUse'
  | 'NameAlreadyExists'
  | 'AmbiguousName'
  | 'NoRunningJob'
  | 'SavepointInProgress'
  | 'SavepointInUse'
  | 'StateNotRestorable'
  | 'NamespaceNotEmpty'
  | 'NotImplemented'
  /** As many resources as a namespace, or the service, may have. */
  | 'TooManyResources'

/** Becomes an ApiException with this reason. */
export class DeploymentError extends Error {
  override readonly name = 'DeploymentError'
  readonly reason: DeploymentReason
  /** Texts only. */
  readonly context: Readonly<Record<string, string>>

  constructor(
    reason: DeploymentReason,
    message: string,
    context: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.reason = reason
    this.context = context
  }
}
