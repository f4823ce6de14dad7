// Proves that every error code can be told to every door.
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from './errors.ts'
import { QuarryError, errorTable, isErrorCode, isQuarryError, toQuarryError } from './errors.ts'

describe('errors', () => {
  it.each(Object.entries(errorTable))('%s has a status for each door', (_code, row) => {
    expect(row.grpc).toBeGreaterThan(0)
    expect(row.grpc).toBeLessThanOrEqual(16)
    expect(row.java).toMatch(/^[a-z]+(\.[a-zA-Z$]+)+$/)
    expect([400, 401, 403, 404, 500, 503]).toContain(row.http)
    expect(row.errno).toMatch(/^E[A-Z]+$/)
  })

  it('carries code, details and advice', () => {
    const error = new QuarryError('NOT_FOUND', 'no /a', { path: '/a' })
    expect([error.code, error.advice, error.errno, error.details]).toEqual(['NOT_FOUND', 'fix-request', 'ENOENT', { path: '/a' }])
    expect(isQuarryError(error, 'NOT_FOUND')).toBe(true)
    expect(isQuarryError(error, 'SAFE_MODE')).toBe(false)
  })

  it('makes INTERNAL of anything else and keeps the cause', () => {
    const cause = new TypeError('x is undefined')
    const error = toQuarryError(cause)
    expect([error.code, error.message, error.cause]).toEqual(['INTERNAL' satisfies ErrorCode, 'x is undefined', cause])
    expect(isErrorCode('NOPE')).toBe(false)
  })
})
