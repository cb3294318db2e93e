/** A body that has to be JSON: read once, and refused in the caller's words if it is not. */
import type { ServiceError } from '../../service-error.ts'
import { type LenientJson, LenientJsonError, parseLenientJsonBytes } from './lenient-json.ts'

/** Undefined if the body is empty. Throws what `refusal` makes of a body that is not JSON. */
export function readJson(
  body: Uint8Array,
  depthMax: number | undefined,
  refusal: (problem: LenientJsonError) => ServiceError,
): LenientJson | undefined {
  try {
    return parseLenientJsonBytes(body, depthMax)
  } catch (error) {
    throw error instanceof LenientJsonError ? refusal(error) : error
  }
}
