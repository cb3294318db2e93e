/** CDAP's metrics of streams: totals, series, and the search for both. Answers include only streams in the client's grants. */

import type { Slice } from '../../loop-share.ts'
import type { Prometheus } from '../../metrics/prometheus.ts'
import { AnswerBudget, type MetricsQuery, type StreamMetrics } from '../../metrics/query.ts'
import type { VisibleNames } from '../../streams/registry.ts'
import { assertAcceptable } from '../messages/accept.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { answerJsonInSlices, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { parseMetricsQuery, parseTags } from './metrics-query.ts'
import { visibleNames } from './visible-streams.ts'

export interface MetricsRoutesOptions extends DocumentOptions, SlicedAnswerOptions {
  readonly nowMs: () => number
}

export function metricsRoutes(metrics: StreamMetrics, prometheus: Prometheus, options: MetricsRoutesOptions) {
  const readDocument = cdapDocumentReader(options)

  async function answered(query: MetricsQuery, visible: VisibleNames, slice: Slice, budget?: AnswerBudget) {
    const { range } = query
    const series = await metrics.query(query, visible, slice, budget)
    if (range === undefined) return { startTime: 0, endTime: Math.floor(options.nowMs() / 1000), series }
    const { startSecond, endSecond, resolution } = range
    return { startTime: startSecond, endTime: endSecond, series, resolution: resolution.name }
  }

  async function answeredAll(
    queries: ReadonlyMap<string, MetricsQuery>,
    visible: VisibleNames,
    slice: Slice,
  ) {
    const answers: [string, unknown][] = []
    const budget = new AnswerBudget()
    for (const [name, query] of queries) answers.push([name, await answered(query, visible, slice, budget)])
    return Object.fromEntries(answers)
  }

  return {
    /** One query in the query string; without one, many in the body. */
    async query(c: HttpContext) {
      const { searchParams } = new URL(c.req.url)
      const visible = visibleNames(c.get('client'))
      if (searchParams.size > 0) {
        const query = parseMetricsQuery(searchParams, options.nowMs())
        return answerJsonInSlices(c, (slice) => answered(query, visible, slice), options)
      }
      const queries = await readDocument(c, 'metricsBatch', options.nowMs())
      if (queries === undefined) return answerJsonProblem(c, 'Batch request with empty content')
      return answerJsonInSlices(c, (slice) => answeredAll(queries, visible, slice), options)
    },

    async search(c: HttpContext) {
      const { searchParams } = new URL(c.req.url)
      const target = searchParams.get('target')
      if (target === null) return answerJsonProblem(c, 'Required target param is missing')
      if (target !== 'tag' && target !== 'metric') {
        return answerJsonProblem(c, `Unknown target param value: ${target}`)
      }
      const visible = visibleNames(c.get('client'))
      const tags = parseTags(searchParams)
      const find = (slice: Slice): Promise<unknown> =>
        target === 'tag'
          ? metrics.searchTags(tags, visible, slice)
          : metrics.searchMetrics(tags, visible, slice)
      return answerJsonInSlices(c, find, options)
    },

    /**
     * Needs a token; the figures of a stream are included if the client's grants include it. The gate never refuses this path
     * (health-checks.ts): operators need it most during overload.
     */
    async prometheus(c: HttpContext) {
      assertAcceptable(c, 'text/plain')
      const client = c.get('client')
      await options.loopShare.slice(clientKey(c.env.incoming, client)).next()
      const { text, contentType } = await prometheus.text(visibleNames(client))
      return c.body(text, 200, { 'Content-Type': contentType })
    },
  }
}

/** CDAP prints these as JSON texts. */
function answerJsonProblem(c: HttpContext, text: string): Response {
  return c.body(JSON.stringify(text), 400, { 'Content-Type': 'application/json' })
}
