// The whole story, as `npm run demo` tells it.
import { mkdirSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Sandbox } from '../support/processes.ts'

it('quarry demo checks every claim it makes, ends with 0 and leaves nothing behind', async () => {
  await using sandbox = new Sandbox()
  const temporary = sandbox.path('tmp')
  mkdirSync(temporary)
  const outcome = await sandbox.quarry(['demo'], { env: { TMPDIR: temporary }, withinMs: 600_000 })
  expect(outcome.stdout).toContain('nothing was lost, every claim above was checked')
  for (const claim of ['byte for byte the same', 'before and after', 'no block is missing', 'the same rows as one DuckDB'])
    expect(outcome.stdout).toContain(claim)
  expect(outcome.code).toBe(0)
  expect(readdirSync(temporary)).toEqual([])
})
