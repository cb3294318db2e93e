/**
 * What a proof counts: events that are lost, doubled or altered, and jobs that failed. If that was seen once, it is a failure, so a test
 * that ends with it does not run again (RETRIES in speeds.ts). Another failure may be that of a machine that held the test up.
 */

const MARK = 'proof failed: '

/** Messages of errors after which a test may run again: they do not have the mark, in whatever text it is quoted. */
export const MAY_RUN_AGAIN = /^(?!.*proof failed: )/s

/** Marks the error with which `check` fails. */
export async function proven<T>(check: () => T | Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (error) {
    throw proofFailure(error)
  }
}

/** The same error, marked. */
export function proofFailure(error: unknown): unknown {
  if (error instanceof Error && MAY_RUN_AGAIN.test(error.message)) error.message = `${MARK}${error.message}`
  return error
}
