/** The capture process of this version. Capture inside this process, as in tests, gets the clock of the service. */
import { joined } from './capture-frames.ts'
import type { CaptureCode } from './capture-process.ts'

const NS_PER_MS = 1_000_000n

export function captureCode({ nowMs }: { readonly nowMs: () => number }): CaptureCode {
  return {
    entry: new URL('worker/capture-process.js', import.meta.url),
    join: joined,
    async serve(port) {
      const { CaptureServer } = await import('./worker/capture-server.ts')
      return new CaptureServer(port, { nowNs: () => BigInt(Math.floor(nowMs())) * NS_PER_MS })
    },
  }
}
