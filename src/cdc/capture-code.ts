/** The capture process of this version. */
import type { CaptureCode } from './capture-process.ts'

export function captureCode(): CaptureCode {
  return {
    entry: new URL('worker/capture-process.js', import.meta.url),
    async serve() {
      throw new Error('the capture process cannot run inside this process')
    },
  }
}
