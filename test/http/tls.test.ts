/** HTTPS: everything that holds without it holds with it, and who has no right to connect does not get in. */

import { readFileSync } from 'node:fs'
import { copyFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type DetailedPeerCertificate } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Identity, opensslProblem, selfSigned } from '../support/certificates.ts'
import { RawConnection } from '../support/raw-http.ts'
import { runCli, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS, type TestAppOptions, testApp } from '../support/test-app.ts'

const problem = await opensslProblem()
if (problem !== undefined) process.stdout.write(`tls.test.ts is skipped: ${problem}\n`)

const HOST = 'Host: x\r\n'
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`

describe.skipIf(problem !== undefined)('over TLS', () => {
  async function tlsApp(options: TestAppOptions = {}, clientAuthorities?: string) {
    const folder = await temporaryFolder()
    const identity = await selfSigned(folder, 'server')
    const tls = { ...identity, ...(clientAuthorities && { clientAuthorities }) }
    const app = await testApp({ ...options, config: { ...options.config, tls } })
    return { app, folder, identity }
  }

  async function open(port: number): Promise<RawConnection> {
    const connection = await RawConnection.openTls(port)
    onTestFinished(() => connection.destroy())
    return connection
  }

  test('requests in a row are answered in their order, and promise HTTPS', async () => {
    const { app } = await tlsApp()
    const connection = await open(app.port)
    connection.write(
      `PUT ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n` +
        post(`${STREAMS}/s`, 'a') +
        post(`${STREAMS}/s/async`, 'b') +
        get(`${STREAMS}/s/events?limit=1`) +
        get('/nope'),
    )
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await connection.response())
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 202, 200, 404])
    expect(JSON.parse(answers[3]!.text)).toMatchObject([{ body: 'a' }])
    for (const { headers } of answers) {
      expect(headers['strict-transport-security']).toBe('max-age=31536000')
    }
  })

  test('the page for a browser has HTTPS in its curl lines, and how curl trusts the certificate', async () => {
    const { app } = await tlsApp()
    const connection = await open(app.port)
    connection.write(get('/'))
    const { text } = await connection.response()
    expect(text).toContain(`curl -X PUT https://127.0.0.1:${app.port}${STREAMS}/mystream`)
    expect(text).toContain('<code>--cacert FILE</code>')
  })

  test('a body in pieces, and one of megabytes, come back as they were', async () => {
    const { app } = await tlsApp()
    const connection = await open(app.port)
    connection.write(`PUT ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`)
    await connection.response()
    for (const piece of post(`${STREAMS}/s`, 'in pieces').match(/.{1,20}/gs)!) {
      connection.write(piece)
      await sleep(2)
    }
    expect(await connection.response()).toMatchObject({ status: 200 })
    const large = 'x'.repeat(5_000_000)
    connection.write(post(`${STREAMS}/s`, large))
    expect(await connection.response()).toMatchObject({ status: 200 })
    connection.write(get(`${STREAMS}/s/events`))
    const events = JSON.parse((await connection.response()).text) as { body: string }[]
    expect(events.map(({ body }) => body)).toEqual(['in pieces', large])
  })

  test('a long answer that is taken slowly has every event as it was', async () => {
    const { app } = await tlsApp()
    const connection = await open(app.port)
    connection.write(`PUT ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`)
    await connection.response()
    const lines = Array.from({ length: 100_000 }, (_, i) => `line ${i} of a text that is long`)
    const text = lines.join('\n')
    connection.write(
      `POST ${STREAMS}/s/batch HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    )
    expect(await connection.response()).toMatchObject({ status: 200 })
    connection.write(get(`${STREAMS}/s/events`))
    await connection.received(1)
    for (let i = 0; i < 5; i++) {
      connection.pause()
      await sleep(20)
      connection.resume()
      await sleep(1)
    }
    const events = JSON.parse((await connection.response()).text) as { body: string }[]
    expect(events.map(({ body }) => body)).toEqual(lines)
  })

  test('what is no HTTP is refused with a sentence', async () => {
    const { app } = await tlsApp()
    const connection = await open(app.port)
    connection.write('hello\r\n\r\n')
    const { status, headers, text } = await connection.response()
    expect(status).toBe(400)
    expect(text).toMatch(/^the request is not HTTP: ./)
    expect(headers['strict-transport-security']).toBe('max-age=31536000')
    await connection.closed
  })

  test('TLS 1.2 and 1.3 are spoken, 1.1 is not', async () => {
    const { app } = await tlsApp()
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      await RawConnection.openTls(app.port, { minVersion: version, maxVersion: version }).then((connection) =>
        connection.destroy(),
      )
    }
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(RawConnection.openTls(app.port, old)).rejects.toThrow(/alert protocol version|EPROTO/)
  })

  test('with client authorities only those get in whom they know', async () => {
    const folder = await temporaryFolder()
    const client = await selfSigned(folder, 'client')
    const unauthenticated = await selfSigned(folder, 'unknown')
    const { app } = await tlsApp({}, client.certificate)
    expect(await statusAs(app.port, client)).toBe(200)
    expect(await statusAs(app.port, unauthenticated)).toBeUndefined()
    expect(await statusAs(app.port, undefined)).toBeUndefined()
    expect(app.reported).toEqual([])
  })

  /** The status that a client with this identity gets, or undefined if it is not let in. */
  async function statusAs(port: number, identity: Identity | undefined): Promise<number | undefined> {
    const shown = identity && { cert: readFileSync(identity.certificate), key: readFileSync(identity.key) }
    try {
      const connection = await RawConnection.openTls(port, shown)
      connection.write(get('/ping'))
      const status = await Promise.race([connection.status(), connection.closed])
      connection.destroy()
      return status ?? undefined
    } catch {
      return undefined
    }
  }

  test('a new certificate serves new connections, and those that are open go on', async () => {
    const { app, folder, identity } = await tlsApp()
    const before = await open(app.port)
    const first = await certificateOf(app.port)
    await replace(identity, await selfSigned(folder, 'next'))
    app.reload()
    expect((await certificateOf(app.port)).fingerprint256).not.toBe(first.fingerprint256)
    before.write(get('/ping'))
    expect(await before.response()).toMatchObject({ status: 200 })
  })

  test('one that cannot be used is reported, and the old one stays', async () => {
    const { app, folder, identity } = await tlsApp()
    const first = await certificateOf(app.port)
    await copyFile((await selfSigned(folder, 'next')).certificate, identity.certificate)
    expect(() => app.reload()).toThrow(
      `--tls-key ${identity.key} is not the key of --tls-cert ${identity.certificate}`,
    )
    expect((await certificateOf(app.port)).fingerprint256).toBe(first.fingerprint256)
  })

  test('neither a client that never greets nor one that never asks holds a stop up', async () => {
    const { app } = await tlsApp()
    const silent = await RawConnection.open(app.port)
    const greeted = await open(app.port)
    const idle = await open(app.port)
    idle.write(get('/ping'))
    await idle.response()
    const since = Date.now()
    await app.restart(10_000)
    expect(Date.now() - since).toBeLessThan(5_000)
    await Promise.all([silent.closed, greeted.closed, idle.closed])
  })

  async function replace(old: Identity, by: Identity): Promise<void> {
    await copyFile(by.certificate, old.certificate)
    await copyFile(by.key, old.key)
  }

  function certificateOf(port: number): Promise<DetailedPeerCertificate> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate(true))
        socket.destroy()
      })
      socket.once('error', reject)
    })
  }

  test('the command serves it, reads the files again on SIGHUP, and stops', async () => {
    const folder = await temporaryFolder()
    const identity = await selfSigned(folder, 'server')
    const args = ['--tls-cert', identity.certificate, '--tls-key', identity.key]
    const service = await startServiceProcess(join(folder, 'data'), { args })
    expect(service.base).toBe(`https://127.0.0.1:${service.port}`)
    const first = await certificateOf(service.port)
    await replace(identity, await selfSigned(folder, 'next'))
    service.signal('SIGHUP')
    await service.printed('SIGHUP: certificate and key read again')
    expect((await certificateOf(service.port)).fingerprint256).not.toBe(first.fingerprint256)
    await writeFile(identity.key, 'no key')
    service.signal('SIGHUP')
    await expect.poll(() => service.stderr).toContain(`--tls-key ${identity.key} holds no private key`)
    const connection = await open(service.port)
    connection.write(get('/ping'))
    expect(await connection.response()).toMatchObject({ status: 200 })
    expect(await service.stop()).toEqual({ code: 0, signal: null })
  })
})

describe.skipIf(problem !== undefined)(
  'a start is refused in a sentence, before there is a data folder,',
  () => {
    let folder: string
    let first: Identity
    let second: Identity
    beforeAll(async () => {
      const { mkdtemp, rm } = await import('node:fs/promises')
      const { tmpdir } = await import('node:os')
      folder = await mkdtemp(join(tmpdir(), 'millrace-tls-'))
      first = await selfSigned(folder, 'first')
      second = await selfSigned(folder, 'second')
      return () => rm(folder, { recursive: true })
    })

    const refused = [
      {
        name: 'a certificate without a key',
        args: () => ['--tls-cert', first.certificate],
        says: () => '--tls-cert and --tls-key go together; give both or neither',
      },
      {
        name: 'client authorities alone',
        args: () => ['--tls-client-ca', first.certificate],
        says: () => '--tls-client-ca needs --tls-cert and --tls-key',
      },
      {
        name: 'a file that is not there',
        args: () => ['--tls-cert', join(folder, 'none'), '--tls-key', first.key],
        says: () => `--tls-cert ${join(folder, 'none')} cannot be read: ENOENT: no such file or directory`,
      },
      {
        name: 'a key in place of the certificate',
        args: () => ['--tls-cert', first.key, '--tls-key', first.key],
        says: () => `--tls-cert ${first.key} holds no certificate in PEM`,
      },
      {
        name: 'a certificate in place of the key',
        args: () => ['--tls-cert', first.certificate, '--tls-key', first.certificate],
        says: () => `--tls-key ${first.certificate} holds no private key without a password in PEM`,
      },
      {
        name: 'the key of another certificate',
        args: () => ['--tls-cert', first.certificate, '--tls-key', second.key],
        says: () => `--tls-key ${second.key} is not the key of --tls-cert ${first.certificate}`,
      },
      {
        name: 'client authorities that are none',
        args: () => [
          ...['--tls-cert', first.certificate, '--tls-key', first.key],
          ...['--tls-client-ca', first.key],
        ],
        says: () => `--tls-client-ca ${first.key} holds no certificate in PEM`,
      },
    ]
    test.each(refused)('with $name', async ({ args, says }) => {
      const empty = await temporaryFolder()
      const { code, stdout, stderr } = await runCli({ args: ['--port', '0', ...args()], folder: empty })
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(`millrace: ${says()}`)
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect(await readdir(empty)).toEqual([])
    })
  },
)
