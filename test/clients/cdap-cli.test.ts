/**
 * The command line of CDAP in the versions whose answers differ: all that it can ask about streams, views, SQL, metadata,
 * metrics and namespaces, in one process that reads its commands from standard input.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { startTestApp } from '../support/test-app.ts'
import { clientJars, javaArguments } from './client-files.ts'
import { type Run, run, tellSkipped } from './client-run.ts'

interface Command {
  readonly command: string
  /** The lines of its answer, or what a line of it has to be. */
  readonly answer: readonly (string | RegExp)[]
}

const EVENT_TIME = '[0-9]{13}'

function commands(folder: string): Command[] {
  return [
    { command: 'cli render as csv', answer: ['Now rendering as CSV'] },
    { command: 'create stream logs', answer: ["Successfully created stream with ID 'logs'"] },
    { command: 'list streams', answer: ['name', 'logs'] },
    { command: 'send stream logs "a,1"', answer: ["Successfully sent stream event to stream 'logs'"] },
    {
      command: `load stream logs ${folder}/up.csv text/csv`,
      answer: ["Successfully loaded file to stream 'logs'"],
    },
    {
      command: 'get stream logs',
      answer: [
        'timestamp,headers,body size,body',
        new RegExp(`^${EVENT_TIME},,3,a,1$`),
        new RegExp(`^${EVENT_TIME},content.type : text/csv,3,b,2$`),
        "Fetched 2 events from stream 'logs'",
      ],
    },
    {
      command: 'get stream logs min max 1',
      answer: [
        'timestamp,headers,body size,body',
        new RegExp(`^${EVENT_TIME},,3,a,1$`),
        "Fetched 1 events from stream 'logs'",
      ],
    },
    { command: 'set stream ttl logs 1000', answer: ["Successfully set TTL of stream 'logs' to 1000"] },
    {
      command: 'set stream description logs ours',
      answer: ["Successfully set stream description of stream 'logs' to 'ours'"],
    },
    {
      command: 'set stream notification-threshold logs 10',
      answer: ["Successfully set notification threshold of stream 'logs' to 10MB"],
    },
    {
      command: 'set stream format logs csv "page string, hits int"',
      answer: ["Successfully set format of stream 'logs'"],
    },
    {
      command: `set stream properties logs ${folder}/properties.json`,
      answer: ["Successfully set properties of stream 'logs'"],
    },
    {
      command: 'describe stream logs',
      answer: [
        'ttl,format,schema,notification.threshold.mb,description',
        '2000,csv,{"type":"record","name":"rec","fields":[{"name":"page","type":["string","null"]},{"name":"hits","type":["int","null"]}]},10,ours',
      ],
    },
    {
      command: 'get stream-stats logs',
      answer: ['column: page, type: STRING', 'Unique elements: 2', 'column: hits, type: INT'],
    },
    {
      command: 'create stream-view logs hits format csv schema "page string"',
      answer: ["Successfully created stream-view 'hits'"],
    },
    { command: 'list stream-views logs', answer: ['id', 'hits'] },
    { command: 'describe stream-view logs hits', answer: ['id,format,table,schema,settings'] },
    {
      command: 'execute "SELECT page, hits FROM stream_logs ORDER BY hits"',
      answer: ['page: STRING,hits: INT', 'a,1', 'b,2', 'Fetched 2 rows'],
    },
    {
      command: 'execute "SELECT sum(hits) AS total FROM stream_logs" 1',
      answer: ['total: BIGINT', '3', 'Fetched 1 rows'],
    },
    { command: 'execute "SELECT nope FROM stream_logs"', answer: [/^Error: .*Response code: 400/] },

    {
      command: 'add metadata-properties stream:default.logs "owner=ann"',
      answer: ['Successfully added metadata properties'],
    },
    {
      command: 'add metadata-tags stream:default.logs "t1,t2"',
      answer: ['Successfully added metadata tags'],
    },
    {
      command: 'add metadata-tags stream_view:default.logs.hits "vt"',
      answer: ['Successfully added metadata tags'],
    },
    {
      command: 'get metadata stream:default.logs scope user',
      answer: [
        'entity,tags,properties,scope',
        /^stream:default\.logs,t1,t2,owner:ann,USER$|default.*t1,t2,owner:ann,USER$/,
      ],
    },
    { command: 'get metadata-properties stream:default.logs scope user', answer: ['key,value', 'owner,ann'] },
    { command: 'get metadata-tags stream:default.logs scope user', answer: ['tags', 't1,t2'] },
    { command: 'search metadata ann', answer: ['Entity', 'stream:default.logs'] },
    {
      command: 'search metadata "t1*" filtered by target-type stream',
      answer: ['Entity', 'stream:default.logs'],
    },
    {
      command: 'search metadata vt filtered by target-type stream,view',
      answer: ['Entity', 'stream_view:default.logs.hits'],
    },
    {
      command: 'get lineage stream logs',
      answer: ['start,end,relations,programs,data', '0,9223372036854775807,[],{},{}'],
    },
    {
      command: 'get lineage stream logs start 0 end 100 levels 2',
      answer: ['start,end,relations,programs,data', '0,100,[],{},{}'],
    },
    {
      command: 'remove metadata-property stream:default.logs owner',
      answer: ['Successfully removed metadata property'],
    },
    { command: 'remove metadata-tag stream:default.logs t1', answer: ['Successfully removed metadata tag'] },
    {
      command: 'remove metadata-properties stream:default.logs',
      answer: ['Successfully removed metadata properties'],
    },
    { command: 'remove metadata-tags stream:default.logs', answer: ['Successfully removed metadata tags'] },
    { command: 'remove metadata stream:default.logs', answer: ['Successfully removed metadata'] },

    {
      command: 'get metric value system.collect.events "namespace=default stream=logs"',
      answer: ['Start time: 0', 'Series: system.collect.events', 'timestamp,value', '0,2'],
    },
    {
      command: 'search metric names "namespace=default stream=logs"',
      answer: ['system.collect.bytes', 'system.collect.events'],
    },
    { command: 'search metric tags "namespace=default"', answer: ['stream=logs'] },

    {
      command: 'create namespace shop description Shop explore-as-principal false',
      answer: ["Namespace 'shop' created successfully."],
    },
    {
      command: 'list namespaces',
      answer: ['name,description,config', "shop,Shop,explore-as-principal='false'"],
    },
    { command: 'describe namespace shop', answer: ["shop,Shop,explore-as-principal='false'"] },
    { command: 'use namespace shop', answer: ["Now using namespace 'shop'"] },
    { command: 'list streams', answer: ['name'] },
    { command: 'use namespace default', answer: ["Now using namespace 'default'"] },

    { command: 'list apps', answer: [/^id,/] },
    { command: 'list programs', answer: ['type,app,id,description'] },
    ...['flows', 'mapreduce', 'services', 'spark', 'workers', 'workflows'].map((list) => ({
      command: `list ${list}`,
      answer: ['app,id,description'],
    })),
    { command: 'list artifacts', answer: ['name,version,scope'] },
    { command: 'list artifacts system', answer: ['name,version,scope'] },
    { command: 'list dataset instances', answer: ['name,type,description'] },
    { command: 'list dataset modules', answer: ['name,className'] },
    { command: 'list dataset types', answer: ['name,modules'] },
    { command: 'get instance preferences', answer: [] },
    { command: 'get resolved namespace preferences', answer: [] },
    { command: 'describe app nope', answer: [/^Error: .*was not found\.$/] },

    { command: 'describe stream nope', answer: ["Error: 'stream:default.nope' was not found."] },
    { command: 'delete stream nope', answer: ["Error: 'stream:default.nope' was not found."] },
    { command: 'delete stream-view logs hits', answer: ["Successfully deleted stream-view 'hits'"] },
    { command: 'truncate stream logs', answer: ["Successfully truncated stream 'logs'"] },
    { command: 'delete stream logs', answer: ["Successfully deleted stream 'logs'"] },
  ]
}

test.for(['4.1.1', '4.3.5', '5.0.0'])('cdap-cli %s', async (version, { skip }) => {
  const client = `cdap-cli ${version}`
  const jars = clientJars('cdap', version)
  if ('missing' in jars) {
    tellSkipped(client, jars.missing)
    return skip(jars.missing)
  }
  const app = await startTestApp({ onDisk: true, nowMs: Date.now() })
  const folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
  try {
    await writeFile(join(folder, 'up.csv'), 'b,2\n')
    await writeFile(join(folder, 'properties.json'), '{"ttl":2000}')
    const all = commands(folder)
    const args = [
      ...javaArguments(jars.folder, 'co.cask.cdap.cli.CLIMain'),
      '--uri',
      `http://127.0.0.1:${app.port}`,
    ]
    const input = all.map(({ command }) => `${command}\n`).join('')
    const answers = answersOf(await run('java', args, input))
    const wrong = all
      .map(({ command, answer }, i) => ({ command, wanted: answer, got: answers[i] }))
      .filter(({ wanted, got }) => got === undefined || !isAnswered(got, wanted))
    tellProof(`clients ${client}`, { calls: all.length, passed: all.length - wrong.length })
    expect(wrong).toEqual([])
    expect(answers.length).toBe(all.length)
    expect(app.reported).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
    await app.stop()
  }
})

/** The lines between one prompt and the next; the first of them ends the command, which the terminal repeats. */
function answersOf({ stdout }: Run): string[][] {
  return stdout
    .split(/^cdap \(http[^)]*\)> /m)
    .slice(1, -1)
    .map((block) =>
      block
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
        .filter((line) => line !== ''),
    )
}

/** Each wanted line is there, in this order; an answer that shall be empty is. An error that was not asked for is wrong. */
function isAnswered(got: readonly string[], wanted: readonly (string | RegExp)[]): boolean {
  if (wanted.length === 0) return got.length === 0
  let at = 0
  for (const line of wanted) {
    const found = got.findIndex(
      (one, i) => i >= at && (typeof line === 'string' ? one === line : line.test(one)),
    )
    if (found === -1) return false
    at = found + 1
  }
  return true
}
