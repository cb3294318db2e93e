/** What a grant covers, and which texts are none. */
import { describe, expect, test } from 'vitest'
import { Grants, parseGrant, printGrant } from '../../src/auth/grants.ts'

const covered = [
  { grant: 'default:logs:read', stream: ['default', 'logs'], role: 'read', allowed: true },
  { grant: 'default:logs:read', stream: ['default', 'logs'], role: 'write', allowed: false },
  { grant: 'default:logs:admin', stream: ['default', 'logs'], role: 'read', allowed: false },
  { grant: 'default:logs:read,write', stream: ['default', 'logs'], role: 'write', allowed: true },
  { grant: 'default:logs:read', stream: ['default', 'logs2'], role: 'read', allowed: false },
  { grant: 'default:logs:read', stream: ['default', 'Logs'], role: 'read', allowed: false },
  { grant: 'default:logs:read', stream: ['prod', 'logs'], role: 'read', allowed: false },
  { grant: 'default:logs-*:read', stream: ['default', 'logs-a'], role: 'read', allowed: true },
  { grant: 'default:logs-*:read', stream: ['default', 'logs-'], role: 'read', allowed: true },
  { grant: 'default:logs-*:read', stream: ['default', 'logs'], role: 'read', allowed: false },
  { grant: 'default:logs-*:read', stream: ['default', 'xlogs-a'], role: 'read', allowed: false },
  { grant: 'team_*:*:read', stream: ['team_a', 'x'], role: 'read', allowed: true },
  { grant: 'team_*:*:read', stream: ['team', 'x'], role: 'read', allowed: false },
  { grant: '*:*:admin', stream: ['any', 'thing'], role: 'admin', allowed: true },
  { grant: '*:logs:read', stream: ['any', 'logs'], role: 'read', allowed: true },
  // Not valid names: grants are checked before the name is.
  { grant: 'default:logs:read', stream: ['', ''], role: 'read', allowed: false },
  { grant: 'default:logs:read', stream: ['default', 'logs*'], role: 'read', allowed: false },
  { grant: 'default:__proto__:read', stream: ['default', 'constructor'], role: 'read', allowed: false },
] as const

test.each(covered)('$grant on $stream in role $role: $allowed', ({ grant, stream, role, allowed }) => {
  const grants = new Grants([parseGrant(grant)])
  expect(grants.allow(role, stream[0], stream[1])).toBe(allowed)
})

test('several grants add up, and do not mix', () => {
  const grants = new Grants(['a:x:read', 'b:y:write'].map(parseGrant))
  expect(grants.allow('read', 'a', 'x')).toBe(true)
  expect(grants.allow('write', 'b', 'y')).toBe(true)
  expect(grants.allow('write', 'a', 'x')).toBe(false)
  expect(grants.allow('read', 'a', 'y')).toBe(false)
  expect(new Grants([]).includePartOf('a')).toBe(false)
})

describe('namespaces', () => {
  const namespaces = [
    { grant: 'a:*:admin', own: true },
    { grant: '*:*:admin', own: true },
    { grant: 'a*:*:read,admin', own: true },
    { grant: 'a:*:read,write', own: false },
    { grant: 'a:x:admin', own: false },
    { grant: 'a:x*:admin', own: false },
  ]
  test.each(namespaces)('$grant is of a part of it, and of all of it: $own', ({ grant, own }) => {
    const grants = new Grants([parseGrant(grant)])
    expect([grants.includePartOf('a'), grants.allowNamespace('a')]).toEqual([true, own])
    if (!grant.startsWith('*'))
      expect([grants.includePartOf('b'), grants.allowNamespace('b')]).toEqual([false, false])
  })
})

describe('the role jobs', () => {
  const roles = [
    { grant: 'a:*:jobs', jobs: true, admin: false },
    { grant: '*:*:jobs', jobs: true, admin: false },
    { grant: 'a:*:admin', jobs: true, admin: true },
    { grant: 'a:*:read,write', jobs: false, admin: false },
    { grant: 'a:x:admin', jobs: false, admin: false },
    { grant: 'b:*:jobs', jobs: false, admin: false },
  ]
  test.each(roles)('$grant may change jobs of namespace a: $jobs', ({ grant, jobs, admin }) => {
    const grants = new Grants([parseGrant(grant)])
    expect([grants.allowJobs('a'), grants.allowNamespace('a')]).toEqual([jobs, admin])
    expect(grants.allow('read', 'a', 'x') || grants.allow('write', 'a', 'x')).toBe(grant.includes('read'))
  })

  test('is for a namespace, not for streams', () => {
    expect(() => parseGrant('a:orders-*:read,jobs')).toThrow(
      "'a:orders-*:read,jobs' gives the role jobs on streams; it is for a namespace: use a:*:jobs",
    )
    expect(printGrant(parseGrant('a:*:jobs,read'))).toBe('a:*:read,jobs')
  })
})

describe('streams whose names begin alike', () => {
  const prefixes = [
    { grant: 'a:env1-*:admin', all: true, some: true },
    { grant: 'a:env*:admin', all: true, some: true },
    { grant: 'a:*:admin', all: true, some: true },
    { grant: '*:*:admin', all: true, some: true },
    { grant: 'a:env1-q*:admin', all: false, some: true },
    { grant: 'a:env1-q2:admin', all: false, some: true },
    { grant: 'a:env1-:admin', all: false, some: true },
    { grant: 'a:env1:admin', all: false, some: false },
    { grant: 'a:env2-*:admin', all: false, some: false },
    { grant: 'a:env1-*:read', all: false, some: false },
    { grant: 'b:*:admin', all: false, some: false },
  ]
  test.each(prefixes)('$grant includes all of env1-*: $all, some: $some', ({ grant, all, some }) => {
    const grants = new Grants([parseGrant(grant)])
    const asked = ['admin', 'a', 'env1-'] as const
    expect([grants.allowPrefix(...asked), grants.allowSome(...asked)]).toEqual([all, some])
  })
})

test.each(['default:logs-*:read,write', '*:*:read,write,admin', 'a_1:B-2:admin'])(
  '%s is printed as it was',
  (text) => {
    expect(printGrant(parseGrant(text))).toBe(text)
  },
)

test('roles are printed once and in one order', () => {
  expect(printGrant(parseGrant('a:b:admin,read,admin'))).toBe('a:b:read,admin')
})

const noGrants = [
  '',
  'default',
  'default:logs',
  'default:logs:',
  'default:logs:reed',
  'default:logs:read,',
  'default:logs:Read',
  'default:logs:read:write',
  ':logs:read',
  'default::read',
  'my-ns:logs:read',
  'default:*logs:read',
  'default:lo*gs:read',
  'default:**:read',
  'default:lo.gs:read',
  'default:logs:*',
  ' default:logs:read',
]
test.each(noGrants)('%j is no grant', (text) => {
  expect(() => parseGrant(text)).toThrow(/is no (grant|role); use /)
})
