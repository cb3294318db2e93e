/**
 * Grok patterns: Squid.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const SQUID: readonly (readonly [name: string, definition: string])[] = [
  // Pattern squid3
  // Documentation of squid3 logs formats can be found at the following link:
  // http://wiki.squid-cache.org/Features/LogFormat
  [
    'SQUID3',
    '%{NUMBER:timestamp}\\s+%{NUMBER:duration}\\s%{IP:client_address}\\s%{WORD:cache_result}/%{NONNEGINT:status_code}\\s%{NUMBER:bytes}\\s%{WORD:request_method}\\s%{NOTSPACE:url}\\s(%{NOTSPACE:user}|-)\\s%{WORD:hierarchy_code}/(%{IPORHOST:server}|-)\\s%{NOTSPACE:content_type}',
  ],
]
