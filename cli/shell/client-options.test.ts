import { expect, test } from 'vitest'
import { clientOptions } from './client-options.ts'
import { takeGenericOptions } from './configuration.ts'

const from = (words: readonly string[], env: NodeJS.ProcessEnv = {}) => clientOptions(takeGenericOptions(words).configuration, env)

test('nothing given leaves everything to the SDK', async () => {
  expect(await from([])).toEqual({})
  expect(await clientOptions(undefined, {})).toEqual({})
})

test('options of the client reach it by -D and by the environment, and -D wins', async () => {
  const env = { QUARRY_HEDGED_READ_THRESHOLD: '250ms', QUARRY_REPLACE_DATANODE_BEST_EFFORT: 'false', QUARRY_READ_TIMEOUT: '4s' }
  expect(await from(['-D', 'read.timeout=2s', '-D', 'replace.datanode=always'], env)).toEqual({
    hedgedReadThresholdMs: 250,
    replaceDatanodeBestEffort: false,
    readTimeoutMs: 2000,
    replaceDatanode: 'always',
  })
})

test('new files get the copies and the block size of the environment', async () => {
  expect(await from([], { QUARRY_REPLICATION: '2', QUARRY_BLOCK_SIZE: '4m' })).toEqual({ replication: 2, blockSize: 4 * 1024 * 1024 })
})

test("Hadoop's keys mean what they mean there", async () => {
  const key = 'dfs.client.block.write.replace-datanode-on-failure'
  expect(await from([`-D${key}.policy=NEVER`, `-D${key}.best-effort=true`, '-Ddfs.client.datanode-restart.timeout=10'])).toEqual({
    replaceDatanode: 'never',
    replaceDatanodeBestEffort: true,
    datanodeRestartTimeoutMs: 10_000,
  })
  expect(await from([`-D${key}.enable=false`])).toEqual({ replaceDatanode: 'never' })
})

test('a value that cannot be used is refused with the place where it stands', async () => {
  await expect(from([], { QUARRY_ACK_TIMEOUT: 'soon' })).rejects.toThrow(/^QUARRY_ACK_TIMEOUT: ack\.timeout is "soon"; expected a duration/)
})
