/** Answers to errors: Retry-After says the same as the sentence. */
import { expect, test } from 'vitest'
import { problemOfError } from '../../src/http/messages/problems.ts'
import { ServiceError } from '../../src/service-error.ts'
import { StorageError } from '../../storage/storage-error.ts'

test.each<[string, Error, number, string | undefined]>([
  ['too much at a time', new ServiceError('overloaded', 'x'), 503, '1'],
  ['a client that has to wait', new ServiceError('overloaded', 'x', { retryAfterSeconds: 8 }), 503, '8'],
  ['a disk that is nearly full', new ServiceError('disk_low', 'x'), 507, '30'],
  ['a store that does not write', new StorageError('unavailable', 'x'), 503, '5'],
  ['bad SQL', new ServiceError('invalid_query', 'x'), 400, undefined],
])('%s', (_, error, status, retryAfter) => {
  const answer = problemOfError(error, () => {})
  expect([answer.status, answer.headers?.['Retry-After']]).toEqual([status, retryAfter])
})
