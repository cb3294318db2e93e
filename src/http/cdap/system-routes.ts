/** Is it there, is it well, and which API does it speak. */
import { answerJson, answerText } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'

/** The CDAP version whose stream API this is; clients select their requests by it. */
const API_VERSION = '4.1.0'

/** `failure` says in a sentence why writes are refused; undefined while they are taken. */
export function systemRoutes(failure: () => Error | undefined) {
  return {
    /** Clients send this to find out whether they need a token: then the answer is 401, and says where to get one. */
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

    /** In the form of CDAP: `min` to `max` processes could run, and as many as were asked for do. */
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
      return answerJson(c, { instances: 1, requested: 1, provisioned: 1 }) // the Java client reads the first
    },
  }

  function streamsStatus(): 'OK' | 'NOTOK' {
    return failure() === undefined ? 'OK' : 'NOTOK'
  }
}
