/**
 * Grok patterns: MCollective.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const MCOLLECTIVE: readonly (readonly [name: string, definition: string])[] = [
  // Remember, these can be multi-line events.
  ['MCOLLECTIVE', '., \\[%{TIMESTAMP_ISO8601:timestamp} #%{POSINT:pid}\\]%{SPACE}%{LOGLEVEL:event_level}'],
  ['MCOLLECTIVEAUDIT', '%{TIMESTAMP_ISO8601:timestamp}:'],
]
