import { expect, test } from 'vitest'
import { errorTable, QuarryError } from '../../common/errors.ts'
import type { ErrorCode } from '../../common/errors.ts'
import { failure, redirect } from './answer.ts'

test('every error is the Java exception and the status that clients know', () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    const { status, type, body } = failure(new QuarryError(code, 'why'))
    const { RemoteException } = JSON.parse(body!) as { RemoteException: { exception: string; javaClassName: string; message: string } }
    expect(status).toBe(errorTable[code].http)
    expect(type).toBe('application/json')
    expect(RemoteException.javaClassName).toBe(errorTable[code].java)
    expect(errorTable[code].java.endsWith(`.${RemoteException.exception}`)).toBe(true)
    expect(RemoteException.message).toBe('why')
  }
})

test('HDFS has 404 for what is not there, 403 for what must not be, 400 for what cannot be meant', () => {
  expect(failure(new QuarryError('NOT_FOUND', '')).status).toBe(404)
  expect(failure(new QuarryError('PERMISSION_DENIED', '')).status).toBe(403)
  expect(failure(new QuarryError('SAFE_MODE', '')).status).toBe(403)
  expect(failure(new QuarryError('ILLEGAL_ARGUMENT', '')).status).toBe(400)
  expect(failure(new QuarryError('UNAUTHENTICATED', '')).status).toBe(401)
  expect(failure(new TypeError('a bug')).status).toBe(500)
})

test('who is to come back later is told when', () => {
  expect(failure(new QuarryError('OVERLOADED', '', { retryAfterMs: 1200 })).headers).toEqual({ 'retry-after': '2' })
})

test('a redirect is an address to go to, or to be told', () => {
  expect(redirect('http://x/?a', false)).toMatchObject({ status: 307, headers: { location: 'http://x/?a' }, body: '' })
  expect(redirect('http://x/?a', true)).toMatchObject({ status: 200, body: '{"Location":"http://x/?a"}' })
})
