// fsck of a file system that has lost blocks: the text that Hadoop 3.4.3 prints when the datanodes of two files of one block are gone.
import { expect, test } from 'vitest'
import { MiniCluster } from '../support/mini-cluster.ts'
import { runShell } from './shell-in-process.ts'

const timeoutMs = 120_000

test('fsck calls a file without a live replica CORRUPT, and exits 1', { timeout: timeoutMs }, async () => {
  await using cluster = await MiniCluster.start({ datanodes: 1 })
  const fs = await cluster.connect()
  await fs.writeFile('/m/one', 'hello\n', { replication: 1 })
  await fs.writeFile('/m/two', 'hello\n', { replication: 1 })
  const fsck = (...words: string[]) => runShell('fsck', words, { uri: cluster.uri, user: fs.user })
  expect((await fsck('/m')).exit).toBe(0)
  await cluster.killDatanode(0)
  const deadline = Date.now() + timeoutMs
  while ((await fs.datanodes('live')).length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200))
  const { exit, stdout } = await fsck('/m')
  expect(exit).toBe(1)
  expect(stdout.slice(stdout.indexOf('\n') + 1, stdout.indexOf('FSCK ended'))).toBe(`

/m/one: MISSING 1 blocks of total size 6 B.
/m/two: MISSING 1 blocks of total size 6 B.
Status: CORRUPT
 Number of data-nodes:	0
 Number of racks:		0
 Total dirs:			1
 Total symlinks:		0

Replicated Blocks:
 Total size:	12 B
 Total files:	2
 Total blocks (validated):	2 (avg. block size 6 B)
  ********************************
  UNDER MIN REPL'D BLOCKS:	2 (100.0 %)
  MINIMAL BLOCK REPLICATION:	1
  CORRUPT FILES:	2
  MISSING BLOCKS:	2
  MISSING SIZE:		12 B
  ********************************
 Minimally replicated blocks:	0 (0.0 %)
 Over-replicated blocks:	0 (0.0 %)
 Under-replicated blocks:	0 (0.0 %)
 Mis-replicated blocks:		0 (0.0 %)
 Default replication factor:	1
 Average block replication:	0.0
 Missing blocks:		2
 Corrupt blocks:		0
 Missing replicas:		0
 Blocks queued for replication:	0

Erasure Coded Block Groups:
 Total size:	0 B
 Total files:	0
 Total block groups (validated):	0
 Minimally erasure-coded block groups:	0
 Over-erasure-coded block groups:	0
 Under-erasure-coded block groups:	0
 Unsatisfactory placement block groups:	0
 Average block group size:	0.0
 Missing block groups:		0
 Corrupt block groups:		0
 Missing internal blocks:	0
 Blocks queued for replication:	0
`)
  expect(stdout.endsWith("\n\nThe filesystem under path '/m' is CORRUPT\n")).toBe(true)
  expect((await fsck('/m/one', '-files', '-blocks')).stdout).toMatch(
    /\n\/m\/one 6 bytes, replicated: replication=1, 1 block\(s\): {2}MISSING 1 blocks of total size 6 B\n0\. BP-\S+:blk_\d+_\d+ len=6 MISSING!\n\n\nStatus: CORRUPT\n/,
  )
})
