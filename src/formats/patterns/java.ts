/**
 * Grok patterns: Java stack traces, Tomcat, Catalina.
 *
 * The definitions are those of logstash-patterns-core, Copyright Elastic and contributors, licensed under the Apache License,
 * Version 2.0; see NOTICE in this folder. The only change is their form.
 */
export const JAVA: readonly (readonly [name: string, definition: string])[] = [
  ['JAVACLASS', '(?:[a-zA-Z$_][a-zA-Z$_0-9]*\\.)*[a-zA-Z$_][a-zA-Z$_0-9]*'],
  // Space is an allowed character to match special cases like 'Native Method' or 'Unknown Source'
  ['JAVAFILE', '(?:[a-zA-Z$_0-9. -]+)'],
  // Allow special <init>, <clinit> methods
  ['JAVAMETHOD', '(?:(<(?:cl)?init>)|[a-zA-Z$_][a-zA-Z$_0-9]*)'],
  // Line number is optional in special cases 'Native method' or 'Unknown source'
  [
    'JAVASTACKTRACEPART',
    '%{SPACE}at %{JAVACLASS:class}\\.%{JAVAMETHOD:method}\\(%{JAVAFILE:file}(?::%{NUMBER:line})?\\)',
  ],
  // Java Logs
  ['JAVATHREAD', '(?:[A-Z]{2}-Processor[\\d]+)'],
  ['JAVALOGMESSAGE', '(.*)'],
  // MMM dd, yyyy HH:mm:ss eg: Jan 9, 2014 7:13:13 AM
  ['CATALINA_DATESTAMP', '%{MONTH} %{MONTHDAY}, 20%{YEAR} %{HOUR}:?%{MINUTE}(?::?%{SECOND}) (?:AM|PM)'],
  // yyyy-MM-dd HH:mm:ss,SSS ZZZ eg: 2014-01-09 17:32:25,527 -0800
  [
    'TOMCAT_DATESTAMP',
    '20%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:?%{MINUTE}(?::?%{SECOND}) %{ISO8601_TIMEZONE}',
  ],
  ['CATALINALOG', '%{CATALINA_DATESTAMP:timestamp} %{JAVACLASS:class} %{JAVALOGMESSAGE:logmessage}'],
  // 2014-01-09 20:03:28,269 -0800 | ERROR | com.example.service.ExampleService - something compeletely unexpected happened...
  [
    'TOMCATLOG',
    '%{TOMCAT_DATESTAMP:timestamp} \\| %{LOGLEVEL:level} \\| %{JAVACLASS:class} - %{JAVALOGMESSAGE:logmessage}',
  ],
]
