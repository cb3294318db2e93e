/**
 * The resources of the deployments API, as they are stored and as APIs print them (`kind` and `apiVersion` are added when they are
 * printed). Absent optional members are left out, never undefined in a stored document. Times are numbers here: milliseconds, of events
 * microseconds.
 */

import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import type { NamespaceName } from '../streams/names.ts'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

export interface Metadata {
  /** UUID version 4, lower case. */
  readonly id: string
  readonly namespace: NamespaceName
  readonly createdMs: number
  readonly modifiedMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** From 1; one more at every accepted change of the resource, also of its status. */
  readonly resourceVersion: number
}

export interface NamedMetadata extends Metadata {
  readonly name: string
}

export type DesiredState = 'RUNNING' | 'SUSPENDED' | 'CANCELLED'
export type DeploymentState = DesiredState | 'TRANSITIONING' | 'FAILED' | 'FINISHED'
export type UpgradeKind = 'STATELESS' | 'STATEFUL' | 'NONE'
export type RestoreKind = 'LATEST_STATE' | 'LATEST_SAVEPOINT' | 'NONE'

export type Artifact =
  | { readonly kind: 'SQLSCRIPT'; readonly sqlScript: string }
  | {
      readonly kind: 'JAR'
      readonly jarUri: string
      readonly mainArgs?: string
      readonly entryClass?: string
      readonly flinkVersion?: string
      readonly flinkImageRegistry?: string
      readonly flinkImageRepository?: string
      readonly flinkImageTag?: string
    }

export interface ResourceSize {
  readonly cpu: number
  readonly memory: string
}

/** What a job is made from. Secrets are not resolved here. */
export interface TemplateSpec {
  readonly artifact: Artifact
  readonly parallelism: number
  readonly numberOfTaskManagers: number
  readonly resources: { readonly jobmanager: ResourceSize; readonly taskmanager: ResourceSize }
  readonly flinkConfiguration: Readonly<Record<string, string>>
  readonly logging: JsonObject
  readonly kubernetes: JsonObject
}

export interface DeploymentSpec {
  readonly state: DesiredState
  readonly deploymentTargetId: string
  readonly upgradeStrategy: { readonly kind: UpgradeKind }
  readonly restoreStrategy: { readonly kind: RestoreKind; readonly allowNonRestoredState: boolean }
  readonly maxSavepointCreationAttempts: number
  readonly maxJobCreationAttempts: number
  readonly template: {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
    readonly spec: TemplateSpec
  }
  /** Members that are kept without effect, such as `jobFailureExpirationTime`. */
  readonly [kept: string]: unknown
}

export type ConditionType =
  | 'ClusterUnreachable'
  | 'JobFailing'
  | 'JobUnstable'
  | 'SuspensionFailed'
  | 'ParallelismReduced'
  | 'UpgradePending'

export interface Condition {
  readonly type: ConditionType
  readonly status: 'True'
  readonly reason: string
  readonly message: string
  readonly lastTransitionMs: number
  readonly lastUpdateMs: number
}

export interface DeploymentStatus {
  readonly state: DeploymentState
  /** Only while `state` is RUNNING. */
  readonly running?: {
    readonly jobId: string
    readonly transitionMs: number
    readonly conditions: readonly Condition[]
  }
}

export interface Deployment {
  readonly metadata: NamedMetadata
  readonly spec: DeploymentSpec
  readonly status: DeploymentStatus
  /** Name of the token that gave the spec last: its jobs have the grants of this token. Never printed. */
  readonly owner?: string
  /** What the reconciler is doing, so that it goes on after a restart. Never printed. */
  readonly progress?: JsonObject
}

export interface DeploymentTarget {
  readonly metadata: NamedMetadata
  readonly spec:
    | { readonly embedded: JsonObject }
    | { readonly flink: { readonly restUrl: string; readonly sqlGatewayUrl?: string } }
    | { readonly kubernetes: JsonObject }
}

/** One in a namespace. `spec` is a part of the spec of a deployment. */
export interface DeploymentDefaults {
  readonly metadata: Metadata
  readonly spec: JsonObject
}

export type JobResourceState = 'STARTING' | 'STARTED' | 'TERMINATING' | 'TERMINATED' | 'FAILED' | 'FINISHED'

/** A run of a deployment. Behind it stands a job of `src/jobs`, `jid`. */
export interface JobResource {
  readonly metadata: Metadata & {
    readonly deploymentId: string
    readonly deploymentName: string
    readonly terminatedMs?: number
  }
  readonly spec: TemplateSpec & {
    readonly deploymentTarget: { readonly id: string; readonly name: string }
    readonly allowNonRestoredState: boolean
    readonly savepointLocation?: string
  }
  readonly status: {
    readonly state: JobResourceState
    readonly started?: {
      readonly jid: JobId
      readonly startedMs: number
      readonly lastUpdateMs: number
      readonly observedFlinkJobStatus: string
      readonly observedFlinkJobRestarts: number
    }
    readonly failure?: Failure
  }
  /** Chosen before the job is created, so that it is created once. Never printed before `status.started`. */
  readonly jid: JobId
  /** That of the deployment when the template was taken. Never printed. */
  readonly owner?: string
}

export interface Failure {
  readonly reason: string
  readonly message: string
  readonly failedMs: number
}

export type SavepointOrigin =
  | 'USER_REQUEST'
  | 'SUSPEND'
  | 'SUSPEND_AND_UPGRADE'
  | 'COPIED'
  | 'RETAINED_CHECKPOINT'

export interface SavepointResource {
  readonly metadata: Metadata & {
    readonly deploymentId: string
    readonly jobId?: string
    readonly origin: SavepointOrigin
  }
  /** Once `state` is COMPLETED. */
  readonly spec: { readonly savepointLocation?: string; readonly flinkSavepointId?: string }
  readonly status: {
    readonly state: 'STARTED' | 'COMPLETED' | 'FAILED'
    readonly failure?: Failure
  }
  /** Of the operation of the job. Never printed. */
  readonly triggerId?: string
}

export interface EventResource {
  readonly metadata: {
    readonly id: string
    /** The kind of the event, such as CREATING_A_NEW_JOB. */
    readonly name: string
    readonly namespace: NamespaceName
    readonly deploymentId: string
    readonly jobId?: string
    /** Microseconds; strictly increasing within a namespace. */
    readonly createdUs: number
    readonly resourceVersion: 1
  }
  readonly message: string
}

export interface SecretValue {
  readonly metadata: NamedMetadata
  readonly spec: { readonly kind: 'PLAIN' }
  /** Encrypted. Never printed. */
  readonly sealed: string
}
