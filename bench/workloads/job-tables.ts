/** The tables and statements of the suite `jobs`: an alert, an average per window, and a look-up of thresholds. */
import { hostOf, hosts, usageOf } from '../events/sensor-readings.ts'
import { streamName } from '../events/streams.ts'
import type { JobApi } from '../stores/job-api.ts'

export const INPUT = streamName(0, 1)
export const OUTPUT = 'job-output'

const READING = `hostname STRING, cpu STRING, usage DOUBLE, occurred_at BIGINT, proctime AS PROCTIME(),
  time_ltz AS TO_TIMESTAMP_LTZ(occurred_at, 3), WATERMARK FOR time_ltz AS time_ltz - INTERVAL '10' SECOND`
const ALERT = 'time_ltz TIMESTAMP(3), hostname STRING, cpu STRING, usage DOUBLE'
const AVERAGE =
  'window_start TIMESTAMP(3), window_end TIMESTAMP(3), hostname STRING, cpu STRING, usage_avg DOUBLE, usage_max DOUBLE'

export const ALERT_ABOVE = 80

export const FILTER = `INSERT INTO ALERTS SELECT time_ltz, hostname, cpu, usage FROM READINGS WHERE usage > ${ALERT_ABOVE}`
export const WINDOW = `INSERT INTO AVERAGES SELECT window_start, window_end, hostname, cpu, AVG(usage), MAX(usage)
  FROM TABLE(TUMBLE(TABLE READINGS, DESCRIPTOR(time_ltz), INTERVAL '30' SECONDS)) GROUP BY window_start, window_end, hostname, cpu`
export const LOOKUP = `INSERT INTO EXCEEDED SELECT time_ltz, R.hostname, cpu, usage, allowed_top FROM READINGS R
  INNER JOIN THRESHOLDS FOR SYSTEM_TIME AS OF proctime AS T ON R.hostname = T.hostname WHERE usage > allowed_top`

/** What a host may use in the table of PostgreSQL. */
const allowedTop = (host: number) => 60 + (host % 30)

export const THRESHOLDS_SQL = `CREATE TABLE thresholds (hostname text PRIMARY KEY, allowed_top int);
  INSERT INTO thresholds VALUES ${hosts()
    .map((name, at) => `('${name}', ${allowedTop(at)})`)
    .join(', ')}`

/** Rows that the statement gives for the first `events` readings; undefined: they are not counted beforehand. */
export function rowsOf(statement: string, events: number): number | undefined {
  if (statement === WINDOW) return undefined
  let rows = 0
  for (let n = 0; n < events; n++)
    if (usageOf(n) > (statement === LOOKUP ? allowedTop(hostOf(n)) : ALERT_ABOVE)) rows++
  return rows
}

/** `input` exists or is created by the caller; `output` is created with its table. */
export async function createJobTables(
  api: JobApi,
  statement: string,
  {
    input = INPUT,
    output = OUTPUT,
    postgres,
  }: { input?: string; output?: string; postgres?: string | undefined } = {},
): Promise<void> {
  const integration_id = await api.streamIntegration()
  const topic = (kafka_topic: string) => ({ integration_id, kafka_topic })
  await api.createStream(output)
  await api.createTable('READINGS', READING, topic(input))
  if (statement === FILTER) await api.createTable('ALERTS', ALERT, topic(output))
  if (statement === WINDOW) await api.createTable('AVERAGES', AVERAGE, topic(output))
  if (statement !== LOOKUP) return
  await api.createTable('EXCEEDED', `${ALERT}, threshold INT`, topic(output))
  await api.createTable(
    'THRESHOLDS',
    'hostname STRING, allowed_top INT, PRIMARY KEY (hostname) NOT ENFORCED',
    {
      integration_id: await api.postgresIntegration(postgres!),
      jdbc_table: 'thresholds',
    },
  )
}
