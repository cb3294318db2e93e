/** The entry point of the process that captures changes of databases. It has the clock of the machine, as the service has. */
import { framePort } from '../../worker/worker-child.ts'
import { endWithService, lowerPriority } from '../../worker/worker-process.ts'
import { divided } from '../capture-frames.ts'
import { giveBack } from '../events/event-buffers.ts'
import type { FromCapture, ToCapture } from './capture-protocol.ts'
import { CaptureServer } from './capture-server.ts'

if (process.platform === 'linux') lowerPriority()
endWithService()
// The clock has milliseconds; the time since the process started has more digits.
const beganNs = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()
const port = framePort<ToCapture, FromCapture>((message) =>
  divided(message, (events) => {
    for (const { bytes } of events) giveBack(bytes)
  }),
)
new CaptureServer(port, { nowNs: () => beganNs + process.hrtime.bigint() })
