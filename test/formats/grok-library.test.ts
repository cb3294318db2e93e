/** The pattern sets: each pattern compiles, and finds in a line of its kind what is in it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { GROK_LIBRARY, GROK_SETS } from '../../src/formats/patterns/index.ts'
import { finder } from '../support/find-pattern.ts'
import { optional, TestReader } from '../support/records.ts'

test('all sets are there', () => {
  expect([...GROK_SETS.keys()].join(' ')).toBe(
    'aws bacula bind bro exim firewalls grok-patterns haproxy httpd java junos linux-syslog maven mcollective mongodb nagios ' +
      'postgresql rails redis ruby squid',
  )
  expect(GROK_LIBRARY.size).toBe(318)
})

/** Of these the names are logstash's; the lines below show that they find what logstash finds. */
const OWN_DEFINITION = /^exim EXIM_(UNKNOWN_FIELD|NAMED_FIELDS|MESSAGE_ARRIVAL) /

test('names and definitions are those of logstash', () => {
  const expected = readFileSync(new URL('logstash-legacy.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const digest = (definition: string) => createHash('sha256').update(definition).digest('hex').slice(0, 16)
  const ours = [...GROK_SETS].flatMap(([set, definitions]) =>
    definitions.map(([name, definition]) => `${set} ${name} ${digest(definition)}`),
  )
  const compared = (line: string) => (OWN_DEFINITION.test(line) ? line.replace(/ \S+$/, '') : line)
  expect(ours.map(compared).sort()).toEqual(expected.map(compared).sort())
  const names = new Set(expected.map((line) => line.split(' ')[1]))
  expect([...GROK_LIBRARY.keys()].filter((name) => !names.has(name))).toEqual(['ISO8601_HOUR'])
})

test.each([...GROK_LIBRARY.keys()])('%s compiles', (name) => {
  expect(finder(`%{${name}}`)('')).toEqual(expect.anything())
})

/** What is found of a text by one pattern alone. */
const parts: { name: string; text: string; found: string }[] = [
  { name: 'USERNAME', text: ' nitin.m-1 ', found: 'nitin.m-1' },
  { name: 'EMAILADDRESS', text: '<jo.d+x@mail.example.com>', found: 'jo.d+x@mail.example.com' },
  { name: 'INT', text: 'x -42 y', found: '-42' },
  { name: 'BASE10NUM', text: 'a +3.14 b', found: '+3.14' },
  { name: 'NUMBER', text: 'is .5!', found: '.5' },
  { name: 'BASE16NUM', text: ' 0xCafe ', found: '0xCafe' },
  { name: 'BASE16FLOAT', text: ' 0xA.8 ', found: '0xA.8' },
  { name: 'POSINT', text: '0 12', found: '12' },
  { name: 'NONNEGINT', text: 'a 0 b', found: '0' },
  { name: 'WORD', text: '- hello_1 -', found: 'hello_1' },
  { name: 'NOTSPACE', text: '  a/b?c  ', found: 'a/b?c' },
  { name: 'GREEDYDATA', text: 'all of it', found: 'all of it' },
  { name: 'QUOTEDSTRING', text: 'x "a \\" b" y', found: '"a \\" b"' },
  { name: 'QS', text: "say 'it' ", found: "'it'" },
  {
    name: 'UUID',
    text: 'id 123e4567-e89b-12d3-a456-426614174000.',
    found: '123e4567-e89b-12d3-a456-426614174000',
  },
  { name: 'URN', text: 'urn:isbn:0451450523 ', found: 'urn:isbn:0451450523' },
  { name: 'MAC', text: 'at 00:1B:44:11:3a:b7 ', found: '00:1B:44:11:3a:b7' },
  { name: 'CISCOMAC', text: 'at 001b.4411.3ab7 ', found: '001b.4411.3ab7' },
  { name: 'WINDOWSMAC', text: 'at 00-1B-44-11-3A-B7 ', found: '00-1B-44-11-3A-B7' },
  { name: 'IPV4', text: 'from 192.168.0.255:80', found: '192.168.0.255' },
  { name: 'IPV6', text: 'from 2001:db8::ff00:42:8329 ', found: '2001:db8::ff00:42:8329' },
  { name: 'IPV6', text: '::1', found: '::1' },
  { name: 'IP', text: 'x 10.0.0.1 y', found: '10.0.0.1' },
  { name: 'HOSTNAME', text: ' www.example.com ', found: 'www.example.com' },
  { name: 'IPORHOST', text: 'on cdr.cs.colorado.edu', found: 'on' },
  { name: 'HOSTPORT', text: ' db-1.local:5432 ', found: 'db-1.local:5432' },
  { name: 'UNIXPATH', text: 'in /var/log/a.b/c ', found: '/var/log/a.b/c' },
  { name: 'WINPATH', text: 'in C:\\Users\\me ', found: 'C:\\Users\\me ' },
  { name: 'PATH', text: '/etc/passwd', found: '/etc/passwd' },
  { name: 'TTY', text: 'on /dev/pts/8.', found: '/dev/pts/8' },
  { name: 'URIPROTO', text: 'svn+ssh://x', found: 'svn+ssh' },
  { name: 'URIPATHPARAM', text: 'GET /a/b?c=d&e HTTP', found: '/a/b?c=d&e' },
  {
    name: 'URI',
    text: '<https://u:p@example.com:8443/a/b?x=1>',
    found: 'https://u:p@example.com:8443/a/b?x=1>',
  },
  { name: 'MONTH', text: 'in September or', found: 'September' },
  { name: 'MONTH', text: 'im März', found: 'März' },
  { name: 'MONTHNUM', text: '12', found: '1' },
  { name: 'MONTHDAY', text: '31', found: '31' },
  { name: 'DAY', text: 'Wednesday', found: 'Wednesday' },
  { name: 'YEAR', text: '2015', found: '2015' },
  { name: 'TIME', text: 'at 23:59:60.123 ', found: '23:59:60.123' },
  { name: 'DATE_US', text: '12/31/2015', found: '12/31/2015' },
  { name: 'DATE_EU', text: '31.12.2015', found: '31.12.2015' },
  { name: 'ISO8601_TIMEZONE', text: ' +05:30 ', found: '+05:30' },
  {
    name: 'TIMESTAMP_ISO8601',
    text: '[2015-02-08T04:36:40.123+0000]',
    found: '2015-02-08T04:36:40.123+0000',
  },
  { name: 'DATESTAMP', text: '08-02-15 04:36:40', found: '08-02-15 04:36:40' },
  { name: 'DATESTAMP_RFC822', text: 'Sun Feb 08 2015 04:36:40 PST', found: 'Sun Feb 08 2015 04:36:40 PST' },
  {
    name: 'DATESTAMP_RFC2822',
    text: 'Sun, 08 Feb 2015 04:36:40 +0000',
    found: 'Sun, 08 Feb 2015 04:36:40 +0000',
  },
  { name: 'DATESTAMP_OTHER', text: 'Sun Feb 08 04:36:40 UTC 2015', found: 'Sun Feb 08 04:36:40 UTC 2015' },
  { name: 'DATESTAMP_EVENTLOG', text: '20150208043640', found: '20150208043640' },
  { name: 'SYSLOGTIMESTAMP', text: 'Oct  7 08:59:00 x', found: 'Oct  7 08:59:00' },
  { name: 'SYSLOGFACILITY', text: '<13.6>', found: '<13.6>' },
  { name: 'HTTPDATE', text: '[08/Feb/2015:04:36:40 +0000]', found: '08/Feb/2015:04:36:40 +0000' },
  { name: 'LOGLEVEL', text: 'x WARNING y', found: 'WARNING' },
  { name: 'JAVACLASS', text: 'com.example.Main$1', found: 'com.example.Main$1' },
  { name: 'MAVEN_VERSION', text: '1.2.3-SNAPSHOT', found: '1.2.3-SNAPSHOT' },
  { name: 'RUUID', text: 'x 0123456789abcdef0123456789ABCDEF', found: '0123456789abcdef0123456789ABCDEF' },
]
test.each(parts)('$name in $text', ({ name, text, found }) => {
  expect(finder(`%{${name}}`)(text)).toMatchObject({ all: found })
})

/** Lines of logs, and some of what is found in each. */
const lines: { name: string; line: string; found: Record<string, string> }[] = [
  {
    name: 'COMMONAPACHELOG',
    line: '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
    found: {
      clientip: '127.0.0.1',
      ident: '-',
      auth: 'frank',
      timestamp: '10/Oct/2000:13:55:36 -0700',
      verb: 'GET',
      request: '/apache_pb.gif',
      httpversion: '1.0',
      response: '200',
      bytes: '2326',
    },
  },
  {
    name: 'COMBINEDAPACHELOG',
    line: '83.149.9.216 - - [24/Feb/2015:23:13:42 +0000] "GET /p.png HTTP/1.1" 200 203023 "http://semicomplete.com/" "Mozilla/5.0"',
    found: {
      clientip: '83.149.9.216',
      response: '200',
      referrer: '"http://semicomplete.com/"',
      agent: '"Mozilla/5.0"',
    },
  },
  {
    name: 'HTTPD_ERRORLOG',
    line: '[Mon Aug 31 16:27:04 2015] [error] [client 10.17.42.3] File does not exist: /srv/x',
    found: { loglevel: 'error', clientip: '10.17.42.3', message: 'File does not exist: /srv/x' },
  },
  {
    name: 'HTTPD24_ERRORLOG',
    line: '[Mon Aug 31 07:15:38.664897 2015] [proxy_fcgi:error] [pid 28787:tid 140169587934976] (70008)Partial results are valid: [client 58.13.45.166:59307] AH01075: Error dispatching request',
    found: {
      module: 'proxy_fcgi',
      loglevel: 'error',
      pid: '28787',
      tid: '140169587934976',
      proxy_errorcode: '70008',
      clientip: '58.13.45.166',
      proxy_message: 'Partial results are valid',
      message: 'Error dispatching request',
      clientport: '59307',
      errorcode: 'AH01075',
    },
  },
  {
    name: 'SYSLOGBASE',
    line: 'Mar 16 00:01:25 evita postfix/smtpd[1713]: connect',
    found: { timestamp: 'Mar 16 00:01:25', logsource: 'evita', program: 'postfix/smtpd', pid: '1713' },
  },
  {
    name: 'SYSLOGPAMSESSION',
    line: 'Mar 16 00:05:01 evita CRON[2]: pam_unix(cron:session): session opened for user root by (uid=0)',
    found: {
      pam_module: 'pam_unix',
      pam_caller: 'cron:session',
      pam_session_state: 'opened',
      username: 'root',
      pam_by: '(uid=0)',
    },
  },
  {
    name: 'CRONLOG',
    line: 'Jan 5 23:01:01 host CROND[1234]: (root) CMD (run-parts /etc/cron.hourly)',
    found: { user: 'root', action: 'CMD', message: 'run-parts /etc/cron.hourly' },
  },
  {
    name: 'SYSLOG5424LINE',
    line: '<191>1 2009-06-30T18:30:00+02:00 paxton.local grokdebug 4123 - [id1 foo="bar"][id2 baz="something"] Hello, syslog.',
    found: {
      syslog5424_pri: '191',
      syslog5424_ver: '1',
      syslog5424_ts: '2009-06-30T18:30:00+02:00',
      syslog5424_host: 'paxton.local',
      syslog5424_app: 'grokdebug',
      syslog5424_proc: '4123',
      syslog5424_sd: '[id1 foo="bar"][id2 baz="something"]',
      syslog5424_msg: 'Hello, syslog.',
    },
  },
  {
    name: 'JAVASTACKTRACEPART',
    line: '  at com.example.Main.run(Main.java:42)',
    found: { class: 'com.example.Main', method: 'run', file: 'Main.java', line: '42' },
  },
  {
    name: 'CATALINALOG',
    line: 'Jan 9, 2014 7:13:13 AM org.apache.catalina.startup.HostConfig deploy: done',
    found: {
      timestamp: 'Jan 9, 2014 7:13:13 AM',
      class: 'org.apache.catalina.startup.HostConfig',
      logmessage: 'deploy: done',
    },
  },
  {
    name: 'TOMCATLOG',
    line: '2014-01-09 20:03:28,269 -0800 | ERROR | com.example.service.ExampleService - something unexpected',
    found: {
      timestamp: '2014-01-09 20:03:28,269 -0800',
      level: 'ERROR',
      class: 'com.example.service.ExampleService',
      logmessage: 'something unexpected',
    },
  },
  {
    name: 'RUBY_LOGGER',
    line: 'I, [2010-02-17T12:00:00.123456 #1234]  INFO -- prog: hello world',
    found: { pid: '1234', loglevel: 'INFO', progname: 'prog', message: 'hello world' },
  },
  {
    name: 'REDISLOG',
    line: '[1234] 05 Jan 15:44:41 * The server is ready',
    found: { pid: '1234' },
  },
  {
    name: 'MONGO_LOG',
    line: 'Wed Nov 5 00:00:01 [conn1] end connection'.slice(4),
    found: { component: 'conn1', message: 'end connection' },
  },
  {
    name: 'MONGO_SLOWQUERY',
    line: '[conn11485496] query sample.User query: { clientId: 12345 } ntoreturn:0 ntoskip:0 nscanned:287011 keyUpdates:0 numYields: 2 locks(micros) r:4187700 nreturned:18 reslen:14019 2340ms',
    found: {
      database: 'sample',
      collection: 'User',
      ntoreturn: '0',
      nscanned: '287011',
      nreturned: '18',
      duration: '2340',
    },
  },
  {
    name: 'MONGO3_LOG',
    line: '2014-11-03T18:28:32.450-0500 I NETWORK [initandlisten] waiting for connections on port 27017',
    found: {
      severity: 'I',
      component: 'NETWORK',
      context: 'initandlisten',
      message: 'waiting for connections on port 27017',
    },
  },
  {
    name: 'S3_ACCESS_LOG',
    line: '79a5 mybucket [06/Feb/2014:00:00:38 +0000] 192.0.2.3 79a5 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /mybucket?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" -',
    found: {
      owner: '79a5',
      bucket: 'mybucket',
      clientip: '192.0.2.3',
      operation: 'REST.GET.VERSIONING',
      verb: 'GET',
      request: '/mybucket?versioning',
      'response:int': '200',
      'bytes:int': '113',
    },
  },
  {
    name: 'ELB_ACCESS_LOG',
    line: '2014-02-15T23:39:43.945958Z my-test-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1"',
    found: {
      elb: 'my-test-loadbalancer',
      clientip: '192.168.131.39',
      backendip: '10.0.0.1',
      verb: 'GET',
      urihost: 'www.example.com:80',
    },
  },
  {
    name: 'HAPROXYHTTP',
    line: 'Dec 9 13:01:26 localhost haproxy[28029]: 127.0.0.1:39759 [09/Dec/2013:12:59:46.633] loadbalancer default/instance8 0/51536/1/48082/99627 200 83285 - - ---- 87/87/87/1/0 0/67 "GET /path/to/image HTTP/1.1"',
    found: {
      client_ip: '127.0.0.1',
      client_port: '39759',
      frontend_name: 'loadbalancer',
      backend_name: 'default',
      server_name: 'instance8',
      http_status_code: '200',
      bytes_read: '83285',
      http_verb: 'GET',
      http_request: '/path/to/image',
    },
  },
  {
    name: 'SQUID3',
    line: '1525344856.899  16867 10.170.72.111 TCP_TUNNEL/200 6256 CONNECT logs.ap-southeast-2.amazonaws.com:443 - HIER_DIRECT/52.94.36.25 -',
    found: {
      duration: '16867',
      client_address: '10.170.72.111',
      cache_result: 'TCP_TUNNEL',
      status_code: '200',
      bytes: '6256',
      request_method: 'CONNECT',
    },
  },
  {
    name: 'NAGIOSLOGLINE',
    line: '[1394925600] CURRENT HOST STATE: nagioshost;UP;HARD;1;PING OK - Packet loss = 0%, RTA = 2.24 ms',
    found: {
      nagios_epoch: '1394925600',
      nagios_type: 'CURRENT HOST STATE',
      nagios_hostname: 'nagioshost',
      nagios_state: 'UP',
      nagios_statetype: 'HARD',
    },
  },
  {
    name: 'CISCOFW106001',
    line: 'Inbound TCP connection denied from 192.168.1.1/1025 to 10.0.0.1/80 flags SYN on interface outside',
    found: {
      direction: 'Inbound',
      protocol: 'TCP',
      action: 'denied',
      src_ip: '192.168.1.1',
      src_port: '1025',
      dst_ip: '10.0.0.1',
      dst_port: '80',
      tcp_flags: 'SYN',
      interface: 'outside',
    },
  },
  {
    name: 'CISCO_TAGGED_SYSLOG',
    line: '<166>Sep 14 2011 05:38:04: %ASA-6-106015: Deny TCP',
    found: { syslog_pri: '166', timestamp: 'Sep 14 2011 05:38:04', ciscotag: 'ASA-6-106015' },
  },
  {
    name: 'SHOREWALL',
    line: 'May 28 17:23:25 myHost kernel: [3124658.791874] Shorewall:FORWARD:REJECT:IN=eth2 OUT=eth2 MAC=00:50:56:8a:1c:b2:00:50:56:8a:1c:b3:08:00 SRC=1.2.3.4 DST=192.168.1.10 LEN=141 TOS=0x00 PREC=0x00 TTL=63 ID=55251 PROTO=UDP SPT=5353 DPT=5353 LEN=121',
    found: { nf_host: 'myHost', nf_action1: 'FORWARD', nf_action2: 'REJECT', nf_in_interface: 'eth2' },
  },
  {
    name: 'BIND9',
    line: '17-Feb-2018 23:06:56.326 queries: info: client 172.26.0.1#12345 (test.example.com): query: test.example.com IN A +E(0)K (172.26.0.3)',
    found: { loglevel: 'info', clientip: '172.26.0.1', clientport: '12345', dns: '172.26.0.3' },
  },
  {
    name: 'EXIM_DATE',
    line: '2014-04-28 12:26:37 x',
    found: { exim_year: '2014', exim_month: '04', exim_day: '28', exim_time: '12:26:37' },
  },
  {
    name: 'MCOLLECTIVE',
    line: 'I, [2010-12-29T11:15:32.321744 #11479]  INFO -- : mcollectived:33 The Marionette Collective 1.1.0 started',
    found: { pid: '11479', event_level: 'INFO' },
  },
  {
    name: 'POSTGRESQL',
    line: '15-07-14 10:11:12 UTC me@db conn-1 4242',
    found: { user_id: 'me@db', connection_id: 'conn-1', pid: '4242' },
  },
  {
    name: 'RT_FLOW3',
    line: 'RT_FLOW_SESSION_DENY: session denied 10.0.0.1/1->10.0.0.2/2 junos-http 6(0) deny-all trust untrust ge-0/0/0.0',
    found: {
      event: 'RT_FLOW_SESSION_DENY',
      'src-ip': '10.0.0.1',
      'dst-port': '2',
      'policy-name': 'deny-all',
    },
  },
  {
    name: 'BACULA_LOG_MAX_CAPACITY',
    line: 'User defined maximum volume capacity 20,000,000,000 exceeded on device "FileStorage" (/bacula)',
    found: {},
  },
]
test.each(lines)('$name', ({ name, line, found }) => {
  expect(finder(`%{${name}}`)(line)).toMatchObject(found)
})

const ACCESS = (user: string, status: string, bytes: string) =>
  `203.0.113.9 - ${user} [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" ${status} ${bytes}`

/** Lines that a definition of an earlier version, or a stricter one, does not match. */
const loose: { name: string; line: string; found: Record<string, string> }[] = [
  ...['COMMONAPACHELOG', 'HTTPD_COMMONLOG'].flatMap((name) => [
    { name, line: ACCESS('ann@shop.example', '200', '17'), found: { auth: 'ann@shop.example', bytes: '17' } },
    { name, line: ACCESS('ann', '-', '-'), found: { auth: 'ann' } },
  ]),
  ...['COMBINEDAPACHELOG', 'HTTPD_COMBINEDLOG'].map((name) => ({
    name,
    line: `${ACCESS('ann@shop.example', '200', '17')} "-" "curl/8"`,
    found: { auth: 'ann@shop.example', referrer: '"-"', agent: '"curl/8"' },
  })),
  {
    name: 'HTTPD24_ERRORLOG',
    line: '[Mon Aug 31 07:15:38.664897 2015] [:error] [pid 7] [client 10.0.0.1:5] x',
    found: { loglevel: 'error', clientip: '10.0.0.1', message: 'x' },
  },
  {
    name: 'ELB_ACCESS_LOG',
    line: '2014-02-15T23:39:43.945958Z lb 192.0.2.9:2817 - -1 -1 -1 503 - 0 0 "GET http://example.com:80/ HTTP/1.1"',
    found: { elb: 'lb', 'response:int': '503', 'bytes:int': '0' },
  },
  {
    name: 'BACULA_LOGLINE',
    line: '05-Jan 14:04 director Cannot open "x": ERR=none such',
    found: { hostname: 'director', berror: 'none such' },
  },
  {
    name: 'BACULA_LOGLINE',
    line: '05-Jan 14:04 director JobId 17: Fatal error: Unable to authenticate with File daemon at "a b". Possible causes:',
    found: { hostname: 'director', jobid: '17' },
  },
  {
    name: 'BIND9',
    line: '17-Feb-2018 23:06:56.326 queries: info: client @0x7f0a 172.26.0.1#12345 (a.b): query: a.b IN A + (172.26.0.3)',
    found: { clientip: '172.26.0.1', clientport: '12345' },
  },
  {
    name: 'EXIM',
    line: '2014-04-28 12:26:37 [12345] 1WeiNH-0003MA-9f <= ann@shop.example H=mx.example (helo) [192.0.2.1]:25 P=esmtps S=4711 for bob@shop.example',
    found: {
      pid: '12345',
      exim_msgid: '1WeiNH-0003MA-9f',
      exim_flags: '<=',
      exim_sender_email: 'ann@shop.example',
      remote_hostname: 'mx.example',
      remote_host: '192.0.2.1',
      remote_port: '25',
      protocol: 'esmtps',
      exim_msg_size: '4711',
      exim_recipient_email: 'bob@shop.example',
    },
  },
  {
    name: 'SHOREWALL',
    line: 'May 28 17:23:25 fw Shorewall:net2fw:DROP:IN=eth0 OUT= MAC=00:50:56:8a:1c:b2:00:50:56:8a:1c:b3:08:00 SRC=1.2.3.4 DST=192.168.1.10 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 PROTO=TCP SPT=5 DPT=22 x',
    found: { nf_host: 'fw', nf_action1: 'net2fw', nf_action2: 'DROP', nf_src_ip: '1.2.3.4' },
  },
  {
    name: 'SFW2',
    line: '2024-05-01T12:00:00 host kernel: SFW2-INext-DROP IN=eth0 OUT= MAC= SRC=1.2.3.4 DST=5.6.7.8 LEN=4 PROTO=ICMP',
    found: { timestamp: '2024-05-01T12:00:00', nf_action: 'DROP', nf_src_ip: '1.2.3.4' },
  },
  { name: 'TIMESTAMP_ISO8601', line: '2024-05-01 9:05:00', found: { all: '2024-05-01 9:05:00' } },
  { name: 'LOGLEVEL', line: 'Information', found: { all: 'Information' } },
  { name: 'LOGLEVEL', line: 'INF', found: { all: 'INF' } },
  { name: 'UNIXPATH', line: '/var//log/', found: { all: '/var//log/' } },
  {
    name: 'HAPROXYHTTPBASE',
    line: '127.0.0.1:39759 [09/Dec/2013:12:59:46.633] lb default/i8 0/51536/1/48082/99627 200 83285 - - ---- 87/87/87/1/0 0/67 "GET /a',
    found: { http_verb: 'GET', http_request: '/a' },
  },
  {
    name: 'JAVASTACKTRACEPART',
    line: '\tat com.example.Main.<init>(Native Method)',
    found: { class: 'com.example.Main', method: '<init>', file: 'Native Method' },
  },
  { name: 'JAVAFILE', line: 'Outer$Inner.java', found: { all: 'Outer$Inner.java' } },
  {
    name: 'SQUID3',
    line: '1525344856.899 16867 10.1.2.3 NONE/000 0 GET http://a/ - HIER_NONE/- -',
    found: { status_code: '000', cache_result: 'NONE' },
  },
]
test.each(loose)('$name in $line', ({ name, line, found }) => {
  expect(finder(`%{${name}}`)(line)).toMatchObject(found)
})

const unmatched: { name: string; line: string }[] = [
  { name: 'COMBINEDAPACHELOG', line: ACCESS('ann@shop.example', '200', '17') },
  { name: 'COMMONAPACHELOG', line: ACCESS('ann smith', '200', '17') },
  { name: 'COMMONAPACHELOG', line: ACCESS('ann', 'ok', '17') },
  { name: 'HTTPD20_ERRORLOG', line: '[Mon Aug 31 16:27:04 2015] [client 10.17.42.3] x' },
  { name: 'EXIM', line: '2014-04-28 12:26:37 1WeiNH-0003MA-9f => bob@shop.example R=dnslookup' },
  { name: 'JAVASTACKTRACEPART', line: 'Caused by: java.io.IOException' },
  { name: 'NAGIOS_TIMEPERIOD_TRANSITION', line: 'TIMEPERIOD TRANSITION: 24x7;a;b' },
  { name: 'SQUID3', line: '1525344856.899 16867 host NONE/000 0 GET http://a/ - HIER_NONE/- -' },
  { name: 'SYSLOGBASE', line: '2024-05-01T12:00:00Z h p: m' },
  { name: 'IPV4', line: '256.1.1.300' },
]
test.each(unmatched)('$name is not in $line', ({ name, line }) => {
  expect(finder(`^%{${name}}$`)(line)).toBe('none')
})

test('fields of a pattern get their types from the schema, and quoted strings come without their quotes', () => {
  const reader = new TestReader({
    format: 'grok',
    schema: [
      ['clientip', optional('string')],
      ['response', optional('int')],
      ['bytes', 'long'],
      ['agent', optional('string')],
    ],
    settings: { pattern: '%{COMBINEDAPACHELOG}' },
  })
  const line = (bytes: string, agent: string) =>
    `83.149.9.216 - - [24/Feb/2015:23:13:42 +0000] "GET /p.png HTTP/1.1" 200 ${bytes} "-" ${agent}`
  expect(reader.read(line('203023', '"Mozilla/5.0"'))).toEqual({
    clientip: '83.149.9.216',
    response: 200,
    bytes: 203023,
    agent: 'Mozilla/5.0',
  })
  expect(reader.read(line('5', '"Möz"'))).toMatchObject({ agent: 'Möz' })
  expect(reader.read(line('-', '"x"'))).toBe('Field bytes must contain a value.')
  expect(reader.read(line('99999999999999999999', '"x"'))).toContain('is not a long')
})

test('a type behind the name, own definitions, lists and names of patterns', () => {
  const reader = new TestReader({
    format: 'grok',
    schema: [
      ['bytes', optional('int')],
      ['id', optional('string')],
      ['WORD', optional('string')],
      ['tag', { type: 'array', items: 'string' }],
    ],
    settings: {
      pattern: '%{NUMBER:bytes:int} %{ID:id=x[0-9]+} %{WORD} %{WORD:tag},%{WORD:tag}(?:,%{WORD:tag})?',
    },
  })
  expect(reader.read('17 x42 word a,b')).toEqual({ bytes: 17, id: 'x42', WORD: 'word', tag: ['a', 'b'] })
  expect(reader.read('###')).toEqual({ bytes: null, id: null, WORD: null, tag: [] })
})

test('flags of a pattern hold in what it refers to: all of a stack trace', () => {
  const trace = 'java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\r\n\tat a.B.d(B.java:2)'
  const read = (pattern: string) =>
    new TestReader({ format: 'grok', settings: { pattern } }).read(`${trace}\n`)
  expect(read('(?s)%{GREEDYDATA:body}')).toEqual({ body: trace })
  expect(read('%{GREEDYDATA:body}')).toEqual({ body: 'java.lang.IllegalStateException: x' })
})

test('an event on which the pattern takes too long is an error, and the next one is read', () => {
  const reader = new TestReader({
    format: 'grok',
    schema: [['x', optional('string')]],
    settings: { pattern: '(?<x>(?:a+)+)b' },
  })
  expect(reader.read('a'.repeat(5_000))).toMatch(/^the pattern took too long on this event/)
  expect(reader.read('aab')).toEqual({ x: 'aa' })
})
