// Proves the order of closing, that a failure does not stop the rest, and that closing twice is closing once.
import { describe, expect, it } from 'vitest'
import { Closer } from './closer.ts'

describe('Closer', () => {
  it('closes in reverse order, once', async () => {
    const log: string[] = []
    const closer = new Closer()
    closer.add(() => log.push('first'))
    closer.use({ close: async () => log.push('second') })
    await Promise.all([closer.close(), closer.close()])
    expect(log).toEqual(['second', 'first'])
  })

  it('runs every step and then throws the first failure', async () => {
    const log: string[] = []
    const closer = new Closer()
    closer.add(() => log.push('still closed'))
    closer.add(() => {
      throw new Error('later')
    })
    closer.add(() => {
      throw new Error('first to run')
    })
    await expect(closer.close()).rejects.toThrow('first to run')
    expect(log).toEqual(['still closed'])
  })
})
