/** Settings that the command line tests cannot see from outside. */
import { expect, test } from 'vitest'
import { parseCommand } from '../src/config.ts'

function configOf(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = parseCommand(args, environment)
  if (command.kind !== 'serve') throw new Error(command.kind)
  return command.config
}

test.each([
  ['none', [], {}, undefined, []],
  [
    'flags',
    ['--savepoint-dir', '/a', '--savepoint-root', '/b', '--savepoint-root=/c,d'],
    {},
    '/a',
    ['/b', '/c,d'],
  ],
  ['variables', [], { MILLRACE_SAVEPOINT_DIR: '/a', MILLRACE_SAVEPOINT_ROOT: '/b, /c,' }, '/a', ['/b', '/c']],
  [
    'flags before variables',
    ['--savepoint-root', '/b'],
    { MILLRACE_SAVEPOINT_ROOT: '/x' },
    undefined,
    ['/b'],
  ],
] as const)('savepoint directories: %s', (_, args, environment, folder, roots) => {
  const { savepointFolder, savepointRoots } = configOf(args, environment)
  expect([savepointFolder, savepointRoots]).toEqual([folder, roots])
})
