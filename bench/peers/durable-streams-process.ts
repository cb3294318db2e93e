/** The reference server of Durable Streams with its data in files; the package is a library and has no command. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { NodeServerJob } from './node-server.ts'

interface ServerModule {
  readonly DurableStreamTestServer: new (options: object) => { start(): Promise<unknown> }
}

const { packageFolder, port, folder } = JSON.parse(process.argv[2]!) as NodeServerJob
const { DurableStreamTestServer } = createRequire(import.meta.url)(packageFolder) as ServerModule
await new DurableStreamTestServer({ port, host: '127.0.0.1', dataDir: join(folder, 'data') }).start()
