/**
 * Grok patterns: Ruby's logger.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const RUBY: readonly (readonly [name: string, definition: string])[] = [
  ['RUBY_LOGLEVEL', '(?:DEBUG|FATAL|ERROR|WARN|INFO)'],
  [
    'RUBY_LOGGER',
    '[DFEWI], \\[%{TIMESTAMP_ISO8601:timestamp} #%{POSINT:pid}\\] *%{RUBY_LOGLEVEL:loglevel} -- +%{DATA:progname}: %{GREEDYDATA:message}',
  ],
]
