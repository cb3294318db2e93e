import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { parseOptions } from '../../bench/options.ts'

test('a full run is saved; a look, or a part, only when asked to', () => {
  expect(parseOptions([])).toMatchObject({ quick: false, rounds: 3, save: true, dataDir: tmpdir() })
  expect(parseOptions(['--quick'])).toMatchObject({ quick: true, rounds: 1, save: false })
  expect(parseOptions(['--only', 'posts,reads', '--only', 'mixed'])).toMatchObject({
    only: ['posts', 'reads', 'mixed'],
    save: false,
  })
  expect(parseOptions(['--quick', '--save', 'x.json'])).toMatchObject({ save: true, saveTo: 'x.json' })
  expect(parseOptions(['--no-save'])).toMatchObject({ save: false })
  expect(parseOptions(['--help'])).toBeUndefined()
})

const refused = [
  { args: ['--rounds', '0'], text: "--rounds is '0'; use a whole number from 1 to 100" },
  { args: ['--seconds', '1.5'], text: "--seconds is '1.5'; use a whole number from 1 to 3600" },
  { args: ['--load', 'ab'], text: "--load is 'ab'; use wrk or autocannon" },
  { args: ['--data-dir', '/nowhere'], text: "--data-dir is '/nowhere', which is no folder" },
  { args: ['--compare', '/nowhere.json'], text: "--compare is '/nowhere.json', which is no file" },
  { args: ['--fast'], text: "Unknown option '--fast'" },
]

test.each(refused)('$args is refused', ({ args, text }) => {
  expect(() => parseOptions(args)).toThrow(text)
})
