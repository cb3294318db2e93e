import { describe, expect, test } from 'vitest'
import { DeploymentError } from '../../src/deployments/deployment-error.ts'
import { parseLabelSelector } from '../../src/deployments/label-selector.ts'

const RESOURCES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  a: { team: 'a', env: 'prod' },
  b: { team: 'b' },
  none: {},
  empty: { team: '' },
}

describe('selects', () => {
  test.each([
    ['', 'a b none empty'],
    [' ', 'a b none empty'],
    ['team=a', 'a'],
    ['team==a', 'a'],
    [' team == a ', 'a'],
    ['team!=a', 'b none empty'],
    ['team', 'a b empty'],
    ['!team', 'none'],
    ['! team', 'none'],
    ['team in (a,b)', 'a b'],
    ['team in(a)', 'a'],
    ['team in ( a , c )', 'a'],
    ['team notin (a,b)', 'none empty'],
    ['team in (a,b),env', 'a'],
    ['team,!env', 'b empty'],
    ['team=', 'empty'],
    ['team in ()', 'empty'],
    ['team in (,a)', 'a empty'],
    ['in in (a)', ''],
    ['in', ''],
    ['team=in', ''],
    ['example.com/owner=x', ''],
    ['__proto__', ''],
    ['!constructor', 'a b none empty'],
  ])('%j: %s', (selector, names) => {
    const fits = parseLabelSelector(selector)
    const found = Object.entries(RESOURCES).filter(([, labels]) => fits(labels))
    expect(found.map(([name]) => name).join(' ')).toBe(names)
  })
})

describe('refuses', () => {
  const refused = (selector: string, message: string) => `labelSelector '${selector}' ${message} there`
  test.each([
    ['=a', "has '=' at column 1; use a key"],
    ['team in a', "has 'a' at column 9; use '('"],
    ['team in (a', "ends at column 11; use ',' or ')'"],
    ['team in (a b)', "has 'b' at column 12; use ',' or ')'"],
    ['team=a b', "has 'b' at column 8; use ',' or the end"],
    ['team a', "has 'a' at column 6; use one of =, ==, !=, in, notin, ',' or the end"],
    ['team=a,', 'ends at column 8; use a key'],
    ['!', 'ends at column 2; use a key'],
    ['team=a=b', "has '=' at column 7; use ',' or the end"],
    ['team==', undefined],
    ['()', "has '(' at column 1; use a key"],
  ])('%j', (selector, message) => {
    if (message === undefined) return expect(parseLabelSelector(selector)({ team: '' })).toBe(true)
    expect(() => parseLabelSelector(selector)).toThrow(
      new DeploymentError('InvalidLabelSelector', refused(selector, message)),
    )
  })
})

test('has a limited number of requirements', () => {
  expect(parseLabelSelector(Array(100).fill('a').join(','))({ a: '' })).toBe(true)
  expect(() => parseLabelSelector(Array(101).fill('a').join(','))).toThrow(
    new DeploymentError('InvalidLabelSelector', 'labelSelector has 101 requirements; use at most 100'),
  )
})
