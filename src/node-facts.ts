/** What a node knows of itself and of the others that share its store, for operators. */
import type { ClusterFacts } from '../storage/store-cluster.ts'

export interface NodeFacts extends ClusterFacts {
  readonly nodeId: string
  /** The id of the node that holds the coordinator; undefined while none does. */
  readonly coordinator: string | undefined
  /** Requests that this node has sent on to others since its start. */
  readonly forwarded: number
}

/** Lines for people, each with its line end. */
export function textOf(facts: NodeFacts): string {
  const { nodeId, coordinator, nodes, replicationFactor, inSyncReplicas, minInSyncReplicas } = facts
  const others = nodes.map(({ id, url }) => `${id} ${url ?? '(no --node-url)'}`)
  const lines = [
    `node: ${nodeId}`,
    `coordinator: ${coordinator ?? 'none'}`,
    `nodes: ${others.join(', ')}`,
    `replicas: ${replicationFactor}, in sync: ${inSyncReplicas}, needed for a write: ${minInSyncReplicas}`,
    ...facts.problems.map((problem) => `problem: ${problem}`),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
