/**
 * A process that starts the built service on a data folder, reads every stream by its export, and stops: once for each message.
 * On its own, because LevelDB may end the process that reads damaged files.
 */
import { get } from 'node:http'
import { parseCommand } from '../../dist/src/config.js'
import { startService } from '../../dist/src/main.js'

process.on('message', async ({ folder, streams, nowMs }) => {
  process.send(await served(folder, streams, nowMs))
})

async function served(folder, streams, nowMs) {
  const { config } = parseCommand(['--port', '0', '--data', folder, '--janitor-seconds', '86400'], {})
  const reports = []
  const exports = []
  const report = (error) =>
    reports.push(typeof error === 'string' ? { remark: error } : { error: String(error) })
  try {
    const service = await startService(config, { nowMs: () => nowMs, random: () => 0.5, report })
    for (const [namespace, stream] of streams) {
      exports.push(await read(service.port, `/v3/namespaces/${namespace}/streams/${stream}/export`))
    }
    await service.close(10_000)
    return { reports, exports }
  } catch (error) {
    return { refusal: { code: error.code, message: error.message }, reports, exports }
  }
}

function read(port, path) {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = ''
      const end = (whole) => resolve({ status: response.statusCode, text, whole })
      response.setEncoding('utf8')
      response.on('data', (piece) => {
        text += piece
      })
      response.once('end', () => end(true))
      response.once('error', () => end(false))
    })
    request.once('error', reject)
  })
}
