/**
 * The library of grok patterns: every set by its name, and all sets together. A pattern is compiled when another
 * pattern or a format first refers to it.
 */
import type { GrokLibrary } from '../grok-pattern.ts'
import { AWS } from './aws.ts'
import { BACULA } from './bacula.ts'
import { BIND } from './bind.ts'
import { BRO } from './bro.ts'
import { EARLIER } from './earlier.ts'
import { EXIM } from './exim.ts'
import { FIREWALLS } from './firewalls.ts'
import { GROK } from './grok-patterns.ts'
import { HAPROXY } from './haproxy.ts'
import { HTTPD } from './httpd.ts'
import { JAVA } from './java.ts'
import { JUNOS } from './junos.ts'
import { LINUX_SYSLOG } from './linux-syslog.ts'
import { MAVEN } from './maven.ts'
import { MCOLLECTIVE } from './mcollective.ts'
import { MONGODB } from './mongodb.ts'
import { NAGIOS } from './nagios.ts'
import { POSTGRESQL } from './postgresql.ts'
import { RAILS } from './rails.ts'
import { REDIS } from './redis.ts'
import { RUBY } from './ruby.ts'
import { SQUID } from './squid.ts'

type Definitions = readonly (readonly [name: string, definition: string])[]

export const GROK_SETS: ReadonlyMap<string, Definitions> = new Map([
  ['aws', AWS],
  ['bacula', BACULA],
  ['bind', BIND],
  ['bro', BRO],
  ['exim', EXIM],
  ['firewalls', FIREWALLS],
  ['grok-patterns', GROK],
  ['haproxy', HAPROXY],
  ['httpd', HTTPD],
  ['java', JAVA],
  ['junos', JUNOS],
  ['linux-syslog', LINUX_SYSLOG],
  ['maven', MAVEN],
  ['mcollective', MCOLLECTIVE],
  ['mongodb', MONGODB],
  ['nagios', NAGIOS],
  ['postgresql', POSTGRESQL],
  ['rails', RAILS],
  ['redis', REDIS],
  ['ruby', RUBY],
  ['squid', SQUID],
])

/** If a name is defined twice, the later definition is used, as in logstash. */
export const GROK_LIBRARY: GrokLibrary = new Map([...EARLIER, ...[...GROK_SETS.values()].flat()])
