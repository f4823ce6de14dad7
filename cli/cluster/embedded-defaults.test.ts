import { expect, it } from 'vitest'
import { loadSettings } from '../../common/config.ts'
import { withEmbeddedDefaults } from './embedded-defaults.ts'

const settings = (flags: Record<string, string>, env: NodeJS.ProcessEnv = {}) =>
  loadSettings({ flags: withEmbeddedDefaults(flags, env), env, role: 'client' })

it('an embedded cluster notices a lost datanode sooner than one of many machines, unless it is told otherwise', () => {
  expect(settings({})).toMatchObject({ 'heartbeat.interval': 1_000, 'stale.after': 10_000, 'dead.after': 20_000 })
  expect(settings({ 'dead.after': '3s' })).toMatchObject({ 'dead.after': 3_000, 'stale.after': 1_500 })
  expect(settings({}, { QUARRY_DEAD_AFTER: '4s' })).toMatchObject({ 'dead.after': 4_000, 'stale.after': 2_000 })
  expect(settings({ 'dead.after': '40s', 'stale.after': '7s' })).toMatchObject({ 'dead.after': 40_000, 'stale.after': 7_000 })
})
