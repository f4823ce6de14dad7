// Texts as Hadoop 3.4.3 printed them for clusters in these states; addresses and ids are made up.
import { expect, test } from 'vitest'
import type { FsckFlag } from './arguments.ts'
import type { FsckBlock, FsckFile, FsckReplicaState } from './blocks.ts'
import { summary } from './summary.ts'
import { Tally } from './tally.ts'

const block = (blockId: number, length: number, states: readonly FsckReplicaState[], more: Partial<FsckBlock> = {}): FsckBlock => ({
  blockId,
  genstamp: 1000 + blockId,
  length,
  offset: 0,
  corrupt: false,
  misplaced: false,
  racksMissing: 0,
  queued: false,
  replicas: states.map((state, index) => ({
    state,
    address: `127.0.0.1:${index + 1}`,
    hostname: 'localhost',
    rack: '/default-rack',
    storageUuid: `DS-${index + 1}`,
    storageType: 'DISK',
    genstamp: 1000 + blockId,
    length,
  })),
  ...more,
})

const file = (path: string, replication: number, blocks: readonly FsckBlock[], growing?: FsckBlock): FsckFile => ({
  info: {
    kind: 'file',
    path,
    name: path.slice(path.lastIndexOf('/') + 1),
    length: blocks.reduce((sum, one) => sum + one.length, 0),
    permission: 0o644,
    owner: 'root',
    group: 'supergroup',
    mtimeMs: 0,
    atimeMs: 0,
    replication,
    blockSize: 1048576,
    fileId: 1,
    children: 0,
    isOpen: growing !== undefined,
    hasAcl: false,
    storagePolicy: 0,
    isFile: true,
    isDirectory: false,
  },
  isOpen: growing !== undefined,
  blocks,
  growing,
})

function check(flags: readonly FsckFlag[], files: readonly FsckFile[], racks = 1) {
  const tally = new Tally(new Set(flags), 'BP-1', racks)
  return { text: files.map((one) => tally.file(one).text).join(''), totals: tally.totals, healthy: tally.healthy }
}
const summaryOf = (files: readonly FsckFile[], flags: readonly FsckFlag[] = []): string =>
  summary(check(flags, files).totals, { defaultReplication: 3, nodes: 2, racks: 1 }).split('\nErasure Coded')[0] as string

const details = ['files', 'blocks', 'replicaDetails'] as const
const corrupt = file('/f/c1', 1, [block(33, 1048576, ['CORRUPT'], { corrupt: true }), block(34, 451424, ['LIVE'])])
const under = file('/f/three', 3, [block(25, 6, ['LIVE', 'LIVE'])])
const missing = file('/f/one', 1, [block(26, 6, [])])

test('a file with a corrupt block', () => {
  expect(check([], [corrupt]).text).toBe('\n/f/c1: CORRUPT blockpool BP-1 block blk_33\n\n/f/c1: CORRUPT 1 blocks of total size 1048576 B.')
  expect(check(details, [corrupt]).text).toBe(
    '/f/c1 1500000 bytes, replicated: replication=1, 2 block(s): \n' +
      '/f/c1: CORRUPT blockpool BP-1 block blk_33\n' +
      ' CORRUPT 1 blocks of total size 1048576 B\n' +
      '0. BP-1:blk_33_1033 len=1048576 Live_repl=0  [DatanodeInfoWithStorage[127.0.0.1:1,DS-1,DISK](CORRUPT)]\n' +
      '1. BP-1:blk_34_1034 len=451424 Live_repl=1  [DatanodeInfoWithStorage[127.0.0.1:1,DS-1,DISK](LIVE)]\n\n',
  )
  expect(summaryOf([corrupt])).toBe(`
Status: CORRUPT
 Number of data-nodes:	2
 Number of racks:		1
 Total dirs:			0
 Total symlinks:		0

Replicated Blocks:
 Total size:	1500000 B
 Total files:	1
 Total blocks (validated):	2 (avg. block size 750000 B)
  ********************************
  UNDER MIN REPL'D BLOCKS:	1 (50.0 %)
  MINIMAL BLOCK REPLICATION:	1
  CORRUPT FILES:	1
  CORRUPT BLOCKS: 	1
  CORRUPT SIZE:		1048576 B
  ********************************
 Minimally replicated blocks:	1 (50.0 %)
 Over-replicated blocks:	0 (0.0 %)
 Under-replicated blocks:	0 (0.0 %)
 Mis-replicated blocks:		0 (0.0 %)
 Default replication factor:	3
 Average block replication:	0.5
 Missing blocks:		0
 Corrupt blocks:		1
 Missing replicas:		0 (0.0 %)
 Blocks queued for replication:	0
`)
})

test('files with missing blocks and with too few copies', () => {
  const sentence =
    ' Under replicated BP-1:blk_25_1025. Target Replicas is 3 but found 2 live replica(s), 0 decommissioned replica(s), 0 decommissioning replica(s).\n'
  expect(check([], [under, missing]).text).toBe(`\n/f/three: ${sentence}\n/f/one: MISSING 1 blocks of total size 6 B.`)
  expect(check(['files', 'blocks'], [under, missing]).text).toBe(
    `/f/three 6 bytes, replicated: replication=3, 1 block(s): ${sentence}0. BP-1:blk_25_1025 len=6 Live_repl=2\n\n` +
      '/f/one 6 bytes, replicated: replication=1, 1 block(s):  MISSING 1 blocks of total size 6 B\n0. BP-1:blk_26_1026 len=6 MISSING!\n\n',
  )
})

test('replicas of leaving nodes keep a block from being under-replicated, and have lines of their own', () => {
  const leaving = [
    file('/f/two', 2, [block(27, 6, ['DECOMMISSIONING', 'LIVE', 'LIVE'])]),
    file('/f/three', 3, [block(25, 6, ['LIVE', 'IN_MAINTENANCE', 'LIVE'])]),
  ]
  const { text, healthy } = check([], leaving)
  expect([text, healthy]).toEqual(['', true])
  expect(summaryOf(leaving)).toContain(
    ' Average block replication:\t3.0\n Missing blocks:\t\t0\n Corrupt blocks:\t\t0\n Missing replicas:\t\t0 (0.0 %)\n' +
      ' DecommissioningReplicas:\t1\n InMaintenanceReplicas:\t1\n Blocks queued for replication:\t0\n',
  )
})

test('only -maintenance tells nodes in maintenance from others', () => {
  const one = [file('/f/three', 3, [block(25, 6, ['LIVE', 'IN_MAINTENANCE', 'ENTERING_MAINTENANCE'])])]
  const states = (flags: readonly FsckFlag[]): string[] =>
    [...check(flags, one).text.matchAll(/\(([A-Z_ ]+)\)/g)].map((match) => match[1] ?? '')
  expect(states([...details, 'maintenance'])).toEqual(['LIVE', 'IN MAINTENANCE', 'ENTERING MAINTENANCE'])
  expect(states(details)).toEqual(['LIVE', 'LIVE', 'LIVE'])
  const few = [file('/f/x', 3, [block(1, 6, ['LIVE', 'IN_MAINTENANCE'])])]
  expect(check(['maintenance'], few).text).toContain(
    '0 decommissioning replica(s), 0 entering maintenance replica(s) and 1 in maintenance replica(s).\n',
  )
})

test('a file that is being written is counted apart, or shown with the block that grows', () => {
  const open = file('/open/x', 3, [block(31, 1048576, ['LIVE', 'LIVE', 'LIVE'])], block(32, 0, ['LIVE', 'LIVE']))
  expect(check([], [open]).text).toBe('')
  expect(summaryOf([open])).toContain(
    ' Total size:\t0 B (Total open files size: 1048576 B)\n Total files:\t0 (Files currently being written: 1)\n' +
      ' Total blocks (validated):\t0 (Total open file blocks (not validated): 1)\n Minimally replicated blocks:\t0\n',
  )
  expect(check(['openforwrite'], [open]).text).toBe('/open/x 1048576 bytes, replicated: replication=3, 1 block(s), OPENFORWRITE: ')
  const place = (n: number): string => `DatanodeInfoWithStorage[127.0.0.1:${n},DS-${n},DISK](LIVE)`
  expect(check(['openforwrite', ...details], [open]).text).toBe(
    '/open/x 1048576 bytes, replicated: replication=3, 1 block(s), OPENFORWRITE:  OK\n' +
      `0. BP-1:blk_31_1031 len=1048576 Live_repl=3  [${place(1)}, ${place(2)}, ${place(3)}]\n\n` +
      `Under Construction Block:\n1. BP-1:blk_32_1032 len=0 Expected_repl=2  [${place(1)}, ${place(2)}]\n`,
  )
})

test('blocks on too few racks are counted, named, and handed to -replicate', () => {
  const misplaced = file('/f/r', 2, [block(41, 6, ['LIVE', 'LIVE'], { misplaced: true, racksMissing: 1 })])
  const sentence =
    ' Replica placement policy is violated for BP-1:blk_41_1041. Block should be additionally replicated on 1 more rack(s). Total number of racks in the cluster: 2\n'
  expect(check([], [misplaced], 2).text).toBe(`\n/f/r: ${sentence}`)
  expect(check(['files'], [misplaced], 2).text).toBe(`/f/r 6 bytes, replicated: replication=2, 1 block(s): ${sentence}`)
  expect(new Tally(new Set(), 'BP-1', 2).file(misplaced).misplaced).toEqual([41])
  expect(summaryOf([misplaced])).toContain(' Mis-replicated blocks:\t\t1 (100.0 %)\n')
})

test('a dot is printed for every hundred files', () => {
  const files = Array.from({ length: 250 }, (_, index) => file(`/f/${index}`, 1, [block(index + 1, 1, ['LIVE'])]))
  expect(check([], files).text).toBe('..')
})
