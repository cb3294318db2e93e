/**
 * Grok patterns: BIND queries.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const BIND: readonly (readonly [name: string, definition: string])[] = [
  ['BIND9_TIMESTAMP', '%{MONTHDAY}[-]%{MONTH}[-]%{YEAR} %{TIME}'],
  [
    'BIND9',
    '%{BIND9_TIMESTAMP:timestamp} queries: %{LOGLEVEL:loglevel}: client(:? @0x(?:[0-9A-Fa-f]+))? %{IP:clientip}#%{POSINT:clientport} \\(%{GREEDYDATA:query}\\): query: %{GREEDYDATA:query} IN %{GREEDYDATA:querytype} \\(%{IP:dns}\\)',
  ],
]
