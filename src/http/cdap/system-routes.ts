/** Health, version and services of the instance. */
import { answerJson, answerText } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'

/** The CDAP version whose stream API this is; clients select their requests by it. */
const API_VERSION = '4.1.0'

/** `failure` returns why writes are refused; undefined while they are accepted. */
export function systemRoutes(failure: () => Error | undefined) {
  return {
    /** Clients send this to check whether they need a token; a 401 has the address at which they get one. */
    ping(c: HttpContext) {
      return answerText(c, 'OK.\n')
    },

    /** Needs no token, because load balancers have none. Without a token the answer omits the reason. */
    status(c: HttpContext) {
      const reason = failure()
      if (reason === undefined) return answerText(c, 'OK.\n')
      if (c.get('client') === null) return answerText(c, 'writes are refused\n', 503)
      return answerText(c, `${reason.message}\n`, 503)
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
