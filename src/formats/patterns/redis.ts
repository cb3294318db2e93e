/**
 * Grok patterns: Redis.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const REDIS: readonly (readonly [name: string, definition: string])[] = [
  ['REDISTIMESTAMP', '%{MONTHDAY} %{MONTH} %{TIME}'],
  ['REDISLOG', '\\[%{POSINT:pid}\\] %{REDISTIMESTAMP:timestamp} \\* '],
  [
    'REDISMONLOG',
    '%{NUMBER:timestamp} \\[%{INT:database} %{IP:client}:%{NUMBER:port}\\] "%{WORD:command}"\\s?%{GREEDYDATA:params}',
  ],
]
