/**
 * Every error of the service for clients, as one closed list. All modules throw these; `src/http/messages/problems.ts`
 * maps each code to a status once. The message is for the client: the value received, the value expected, and what to
 * do.
 */
export type ServiceErrorCode =
  | 'invalid_id' // a stream, namespace or program name outside its grammar
  | 'reserved_namespace'
  | 'invalid_properties' // properties JSON of a stream, a view or a namespace
  | 'invalid_range' // start, end, limit
  | 'invalid_cursor'
  | 'cursor_gone' // a cursor of another store, or of an event that this store does not have
  | 'invalid_parameter' // any other query parameter
  | 'duplicate_header' // the same event header twice
  | 'malformed_body' // a body that does not decompress, or ends early
  | 'malformed_batch' // a batch that its decoder cannot read
  | 'missing_content_type'
  | 'unsupported_content_type'
  | 'invalid_content_type' // parameters of a content type that cannot be read
  | 'unsupported_media_type' // a body of a kind that the API does not read
  | 'unsupported_charset' // a text that cannot be cut at line ends
  | 'unsupported_encoding'
  | 'not_acceptable' // the client accepts no media type that the service can send
  | 'event_too_large'
  | 'batch_too_large'
  | 'headers_too_large' // event headers, by count or by bytes
  | 'document_too_large' // a JSON document of the control plane
  | 'overloaded' // more at a time than the limits allow
  | 'expands_too_much' // a small body that decompresses to a large one
  | 'invalid_query' // SQL, and its parameters
  | 'table_forbidden' // no grant for the stream of a table, or no such table
  | 'principal_mismatch'
  | 'reset_disabled'
  | 'stream_not_found'
  | 'stream_written' // a write or a change of a stream that a part of the service writes
  | 'view_not_found'
  | 'namespace_not_found'
  | 'invalid_table' // a table, an integration, a job, or their options
  | 'unsupported' // what the contract says is not supported
  | 'service_not_found' // a service of Aiven's API
  | 'integration_not_found'
  | 'integration_in_use'
  | 'integration_built_in'
  | 'secret_not_found' // a secret value that options of a table name
  | 'secret_unusable' // the key of stored secrets cannot be read or made
  | 'coordinator_away' // a request that another node serves, which cannot be reached now
  | 'unhealthy' // writes are refused: the answer to a question about the health of the service
  | 'tokens_unusable' // the token file cannot be read or changed
  | 'table_not_found'
  | 'table_exists'
  | 'table_in_use'
  | 'job_not_found'
  | 'job_ended' // a job that is in another terminal state than the one asked for
  | 'part_not_found' // a vertex, subtask, checkpoint, file or process of Flink's API
  | 'shutdown_disabled'
  | 'cross_site' // a change asked for by a page of another site
  | 'job_slots' // as many jobs as may run
  | 'state_elsewhere' // a job whose state is on another node than the one that runs jobs
  | 'job_exists' // the wanted id of a job is in use
  | 'savepoint_outside' // a folder outside of the savepoint directories
  | 'savepoint_unreadable' // a savepoint that is damaged, incomplete or of a later version
  | 'state_not_restorable' // the state of a savepoint is of another statement
  | 'operation_not_found' // a savepoint or disposal, by the id of its trigger
  | 'jar_not_found'
  | 'invalid_jar' // an upload that is no jar, a jar that cannot run, and what its scripts are refused for
  | 'jar_too_large'
  | 'jars_full' // as many jars, or bytes of jars, as may be stored
  | 'invalid_environment_id' // the name of a connection outside its grammar
  | 'query_not_ready' // a cached query that has no result yet
  | 'not_yet' // a cached query that did not reach a position in time
  | 'no_grant' // the token of a job lacks a grant for a stream
  | 'disk_low' // less free disk space than the operator wants to keep

export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ServiceErrorCode
  /** When the client may try again, if that is known. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: ServiceErrorCode,
    message: string,
    options?: ErrorOptions & { readonly retryAfterSeconds?: number },
  ) {
    super(message, options)
    this.code = code
    this.retryAfterSeconds = options?.retryAfterSeconds
  }
}
