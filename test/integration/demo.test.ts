// quarry demo leaves nothing behind when it is interrupted or cannot begin. Its whole story: demo.long.test.ts.
import { mkdirSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readRunning } from '../../cli/cluster/directory.ts'
import { waitForExit } from '../../cli/cluster/process-identity.ts'
import { Sandbox } from '../support/processes.ts'

it('interrupted with Ctrl-C while it stores: every process and every file is gone', async () => {
  await using sandbox = new Sandbox()
  const temporary = sandbox.path('tmp')
  mkdirSync(temporary)
  const demo = sandbox.start(['demo'], { env: { TMPDIR: temporary } })
  await demo.waitFor(/Storing generated\.bin three times/)
  const [dir = ''] = readdirSync(temporary)
  const roles = readRunning(`${temporary}/${dir}/cluster`)?.roles ?? []
  expect(roles).toHaveLength(5)
  demo.kill('SIGINT')
  const outcome = await demo.done
  expect(outcome.stdout).toContain('it was interrupted')
  expect(outcome.code).toBe(130)
  for (const role of roles) expect(await waitForExit(role, 30_000), role.name).toBe(true)
  expect(readdirSync(temporary)).toEqual([])
})

it('without its data it says what to give it, and starts nothing', async () => {
  await using sandbox = new Sandbox()
  const temporary = sandbox.path('tmp')
  mkdirSync(temporary)
  const outcome = await sandbox.quarry(['demo', '--flights', sandbox.path('none.parquet')], { env: { TMPDIR: temporary } })
  expect(outcome.stdout).toContain('none.parquet')
  expect(outcome.code).toBe(1)
  expect(readdirSync(temporary)).toEqual([])
})
