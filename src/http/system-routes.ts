/** Is it there, is it well, and which API does it speak. */
import { answerJson, answerText } from './answers.ts'
import type { HttpContext } from './bindings.ts'

/** The CDAP version whose stream API this is: clients look at it to know what they may ask for. */
const API_VERSION = '4.1.0'

/** `failure` says in a sentence why writes are refused; undefined while they are taken. */
export function systemRoutes(failure: () => Error | undefined) {
  return {
    /** Clients send this to find out whether authentication is on. */
    ping(c: HttpContext) {
      return answerText(c, 'OK.\n')
    },

    status(c: HttpContext) {
      const reason = failure()
      if (reason === undefined) return answerText(c, 'OK.\n')
      return answerText(c, `${reason.message}\n`, 503)
    },

    version(c: HttpContext) {
      return answerJson(c, { version: API_VERSION })
    },

    services(c: HttpContext) {
      return answerJson(c, { streams: streamsStatus() })
    },

    streamsService(c: HttpContext) {
      return answerJson(c, { status: streamsStatus() })
    },
  }

  function streamsStatus(): 'OK' | 'NOTOK' {
    return failure() === undefined ? 'OK' : 'NOTOK'
  }
}
