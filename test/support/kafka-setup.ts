/** One broker for all tests of engines, unless MILLRACE_TEST_KAFKA names a cluster. Without Java the tests skip themselves. */
import { fetchKafka, TestKafka } from './kafka.ts'

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.MILLRACE_TEST_KAFKA) return undefined
  const missing = await fetchKafka()
  if (missing !== undefined) {
    console.warn(`the tests on Kafka are skipped: ${missing}`)
    return undefined
  }
  const kafka = await TestKafka.start()
  process.env.MILLRACE_TEST_KAFKA = `127.0.0.1:${kafka.port}`
  return () => kafka.remove()
}
