// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have parameters in this form
/** Program arguments, and their values in scripts. */
import { describe, expect, test } from 'vitest'
import { argumentsIn, parametersOf } from '../../src/jars/program-arguments.ts'
import { withParameters } from '../../src/jars/script-parameters.ts'

describe('arguments', () => {
  test.each([
    ['', []],
    ['  ', []],
    ['--a 1', ['--a', '1']],
    [' --a\t1\n--b  2 ', ['--a', '1', '--b', '2']],
    ['--a "x y" --b \'z "q" w\'', ['--a', 'x y', '--b', 'z q w']],
    ['--a x"y z"', ['--a', 'xy', 'z']], // as Flink: a quote within a word does not hold it together
    ['--a "open', ['--a', 'open']],
  ])('%j', (text, list) => {
    expect(argumentsIn(text)).toEqual(list)
  })

  test('become parameters', () => {
    const given = ['--a', '1', '-b.c_d-e', '-2.5', '--a', 'last', '--empty', '']
    expect([...parametersOf(given)]).toEqual([
      ['a', 'last'],
      ['b.c_d-e', '-2.5'],
      ['empty', ''],
    ])
  })

  test.each([
    [['a'], "got the argument 'a'; write pairs: --key value"],
    [['--a=1'], "got the argument '--a=1'; write pairs: --key value"],
    [['--', '1'], "got the argument '--'; write pairs: --key value"],
    [['--a'], 'the argument --a has no value; write --a value'],
    [['--a', '--b', '1'], 'the argument --a has no value; write --a value'],
  ])('%j are refused', (given, text) => {
    expect(() => parametersOf(given)).toThrow(text)
  })

  test('are refused if they are long', () => {
    expect(() => argumentsIn('"'.repeat(65_537))).toThrow(
      'the program arguments have 65537 characters; use at most 65536',
    )
    expect(() => parametersOf(['--a', 'x'.repeat(65_534)])).toThrow('have 65537 characters')
    expect(argumentsIn('"'.repeat(65_535)).length).toBeGreaterThan(0)
  })
})

describe('parameters in a script', () => {
  const parameters = new Map([
    ['from', 'CPU_IN'],
    ['text', "it's"],
  ])
  const replaced = (text: string) => withParameters({ name: 'a.sql', text }, parameters)

  test.each([
    ['SELECT * FROM ${from}', 'SELECT * FROM CPU_IN'],
    ["'${from}' `${from}_2` ${from}${from}", "'CPU_IN' `CPU_IN_2` CPU_INCPU_IN"],
    ['-- ${nope}\n${from} // ${nope}', '-- ${nope}\nCPU_IN // ${nope}'],
    ['/* ${nope} */${from}/* ${nope}', '/* ${nope} */CPU_IN/* ${nope}'],
    ["'-- ${from}' '//' \"/*\" ${from}", "'-- CPU_IN' '//' \"/*\" ${from}"],
    ['$from {from} $${from}', '$from {from} $CPU_IN'],
  ])('%j', (text, wanted) => {
    expect(replaced(text)).toBe(wanted)
  })

  test('that have no argument are refused', () => {
    expect(() => replaced("'${nope}'")).toThrow(
      'a.sql has ${nope}, and there is no argument --nope; add --nope VALUE to the program arguments',
    )
  })

  test('cannot make it long', () => {
    const long = new Map([['a', 'x'.repeat(65_000)]])
    expect(() => withParameters({ name: 'a.sql', text: '${a}'.repeat(100_000) }, long)).toThrow(
      'the arguments add more than 131072 characters to a.sql; use shorter ones',
    )
  })

  test('are found in linear time', () => {
    expect(replaced('/*/'.repeat(100_000)).length).toBe(300_000)
    expect(replaced('${'.repeat(100_000)).length).toBe(200_000)
  })
})
