/**
 * Settings of every session that reads values, in snapshots and in the stream of changes: the texts of values depend on them. They
 * are given as options of the connection: `options=-c DateStyle=ISO -c ...`.
 */
export const SESSION_SETTINGS = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  /** The shortest text that gives the same number again. */
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
} as const
