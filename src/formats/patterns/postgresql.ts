/**
 * Grok patterns: PostgreSQL.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const POSTGRESQL: readonly (readonly [name: string, definition: string])[] = [
  // Default postgresql pg_log format pattern
  ['POSTGRESQL', '%{DATESTAMP:timestamp} %{TZ} %{DATA:user_id} %{GREEDYDATA:connection_id} %{POSINT:pid}'],
]
