/**
 * Grok patterns: Maven versions.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const MAVEN: readonly (readonly [name: string, definition: string])[] = [
  ['MAVEN_VERSION', '(?:(\\d+)\\.)?(?:(\\d+)\\.)?(\\*|\\d+)(?:[.-](RELEASE|SNAPSHOT))?'],
]
