/** Kinesalite on 127.0.0.1; its own command listens on all addresses. */
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { NodeServerJob } from './node-server.ts'

const { packageFolder, port, folder } = JSON.parse(process.argv[2]!) as NodeServerJob
const create = createRequire(import.meta.url)(packageFolder) as (options: object) => Server
create({ path: join(folder, 'store'), createStreamMs: 0 }).listen(port, '127.0.0.1')
