/** CDAP's metrics of streams: totals and series, and which there are. A client sees what its grants include. */

import type { Client } from '../auth/tokens.ts'
import type { Prometheus } from '../metrics/prometheus.ts'
import { AnswerRoom, type MaySee, type MetricsQuery, type StreamMetrics } from '../metrics/query.ts'
import { assertAcceptable } from './accept.ts'
import { answerJson } from './answers.ts'
import type { HttpContext } from './bindings.ts'
import { type DocumentOptions, documentReader } from './documents.ts'
import { parseMetricsBatch, parseMetricsQuery, parseTags } from './metrics-query.ts'

export function metricsRoutes(
  metrics: StreamMetrics,
  prometheus: Prometheus,
  options: DocumentOptions & { readonly nowMs: () => number },
) {
  const readDocument = documentReader(options)

  async function answered(query: MetricsQuery, maySee: MaySee, room?: AnswerRoom) {
    const { range } = query
    const series = await metrics.query(query, maySee, room)
    if (range === undefined) return { startTime: 0, endTime: Math.floor(options.nowMs() / 1000), series }
    const { startSecond, endSecond, resolution } = range
    return { startTime: startSecond, endTime: endSecond, series, resolution: resolution.name }
  }

  return {
    /** One query in the query string; without one, many in the body. */
    async query(c: HttpContext) {
      const { searchParams } = new URL(c.req.url)
      const maySee = visibleTo(c.get('client'))
      if (searchParams.size > 0) {
        return answerJson(c, await answered(parseMetricsQuery(searchParams, options.nowMs()), maySee))
      }
      const queries = await readDocument(c.env.incoming, (body, depthMax) =>
        body.length === 0 ? undefined : parseMetricsBatch(body, depthMax, options.nowMs()),
      )
      if (queries === undefined) return answerJsonProblem(c, 'Batch request with empty content')
      const answers: [string, unknown][] = []
      const room = new AnswerRoom()
      for (const [name, query] of queries) answers.push([name, await answered(query, maySee, room)])
      return answerJson(c, Object.fromEntries(answers))
    },

    search(c: HttpContext) {
      const { searchParams } = new URL(c.req.url)
      const target = searchParams.get('target')
      if (target === null) return answerJsonProblem(c, 'Required target param is missing')
      const maySee = visibleTo(c.get('client'))
      if (target === 'tag') return answerJson(c, metrics.searchTags(parseTags(searchParams), maySee))
      if (target === 'metric') return answerJson(c, metrics.searchMetrics(parseTags(searchParams), maySee))
      return answerJsonProblem(c, `Unknown target param value: ${target}`)
    },

    /** Whoever has a token is told how the service does; names of streams are told to those who may see them. */
    async prometheus(c: HttpContext) {
      assertAcceptable(c, 'text/plain')
      const { text, contentType } = await prometheus.text(visibleTo(c.get('client')))
      return c.body(text, 200, { 'Content-Type': contentType })
    },
  }
}

export function visibleTo(client: Client | null | undefined): MaySee {
  const grants = client?.grants
  return grants === undefined ? () => true : ({ id }) => grants.includeStream(id.namespace, id.stream)
}

/** CDAP tells these as JSON texts. */
function answerJsonProblem(c: HttpContext, text: string): Response {
  return c.body(JSON.stringify(text), 400, { 'Content-Type': 'application/json' })
}
