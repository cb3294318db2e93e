/**
 * Grok patterns that earlier versions of logstash's sets had. They are kept for streams that were set up with them. No
 * set refers to one of them.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const EARLIER: readonly (readonly [name: string, definition: string])[] = [
  // From TIMESTAMP_ISO8601, before an hour could have one digit.
  ['ISO8601_HOUR', '(?:2[0123]|[01][0-9])'],
]
