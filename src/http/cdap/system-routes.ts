/** Health, version and services of the instance. */
import { type NodeFacts, textOf } from '../../node-facts.ts'
import { answerJson, answerText } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'

/** The CDAP version whose stream API this is; clients select their requests by it. */
const API_VERSION = '4.1.0'

const CUT_OFF =
  'this node is cut off from the store, and answers no requests about streams until it reaches it again'

/**
 * `failure` returns why writes are refused; undefined while they are accepted. `cluster`: where other nodes share the store.
 */
export function systemRoutes(failure: () => Error | undefined, cluster?: () => NodeFacts) {
  return {
    /** Clients send this to check whether they need a token; a 401 has the address at which they get one. */
    ping(c: HttpContext) {
      return answerText(c, 'OK.\n')
    },

    /** Needs no token, because load balancers have none. Without a token the answer omits the reason. */
    status(c: HttpContext) {
      const isKnown = c.get('client') !== null
      const facts = cluster?.()
      const about = facts === undefined || !isKnown ? '' : textOf(facts)
      const reason = failure()?.message ?? (facts?.isLive === false ? CUT_OFF : undefined)
      if (reason === undefined) return answerText(c, `OK.\n${about}`)
      return answerText(c, isKnown ? `${reason}\n${about}` : 'writes are refused\n', 503)
    },

    version(c: HttpContext) {
      return answerJson(c, { version: API_VERSION })
    },

    /** In the form of CDAP, which runs between `min` and `max` processes of a service. */
    serviceList(c: HttpContext) {
      const status = streamsStatus()
      const service = { name: 'streams', description: 'Streams, their views and SQL over them.', status }
      return answerJson(c, [{ ...service, logs: 'NOTOK', min: 1, max: 1, requested: 1, provisioned: 1 }])
    },

    services(c: HttpContext) {
      return answerJson(c, { streams: streamsStatus() })
    },

    streamsService(c: HttpContext) {
      return answerJson(c, { status: streamsStatus() })
    },

    streamsInstances(c: HttpContext) {
      return answerJson(c, { instances: 1, requested: 1, provisioned: 1 }) // the Java client reads `instances`
    },
  }

  function streamsStatus(): 'OK' | 'NOTOK' {
    return failure() === undefined ? 'OK' : 'NOTOK'
  }
}
