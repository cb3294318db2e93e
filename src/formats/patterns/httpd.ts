/**
 * Grok patterns: the access and error logs of Apache's web server.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const HTTPD: readonly (readonly [name: string, definition: string])[] = [
  ['HTTPDUSER', '%{EMAILADDRESS}|%{USER}'],
  ['HTTPDERROR_DATE', '%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR}'],
  // Log formats
  [
    'HTTPD_COMMONLOG',
    '%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \\[%{HTTPDATE:timestamp}\\] "(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" (?:-|%{NUMBER:response}) (?:-|%{NUMBER:bytes})',
  ],
  ['HTTPD_COMBINEDLOG', '%{HTTPD_COMMONLOG} %{QS:referrer} %{QS:agent}'],
  // Error logs
  [
    'HTTPD20_ERRORLOG',
    '\\[%{HTTPDERROR_DATE:timestamp}\\] \\[%{LOGLEVEL:loglevel}\\] (?:\\[client %{IPORHOST:clientip}\\] ){0,1}%{GREEDYDATA:message}',
  ],
  [
    'HTTPD24_ERRORLOG',
    '\\[%{HTTPDERROR_DATE:timestamp}\\] \\[(?:%{WORD:module})?:%{LOGLEVEL:loglevel}\\] \\[pid %{POSINT:pid}(:tid %{NUMBER:tid})?\\]( \\(%{POSINT:proxy_errorcode}\\)%{DATA:proxy_message}:)?( \\[client %{IPORHOST:clientip}:%{POSINT:clientport}\\])?( %{DATA:errorcode}:)? %{GREEDYDATA:message}',
  ],
  ['HTTPD_ERRORLOG', '%{HTTPD20_ERRORLOG}|%{HTTPD24_ERRORLOG}'],
  // Deprecated
  ['COMMONAPACHELOG', '%{HTTPD_COMMONLOG}'],
  ['COMBINEDAPACHELOG', '%{HTTPD_COMBINEDLOG}'],
]
