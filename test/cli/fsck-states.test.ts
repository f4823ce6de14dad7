// fsck of clusters in trouble, compared with what Hadoop 3.4.3 printed of the same: nodes that leave, corrupt blocks, open files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'
import { seededBytes } from '../support/processes.ts'
import { runShell } from './shell-in-process.ts'

const timeoutMs = 120_000
const blockSize = 64 * 1024

let cluster: MiniCluster
let fs: FileSystem

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 3 })
  fs = await cluster.connect()
}, timeoutMs)
afterAll(() => cluster?.close(), timeoutMs)

const fsck = (...words: string[]) => runShell('fsck', words, { uri: cluster.uri, user: fs.user })
const admin = (...words: string[]) => runShell('admin', words, { uri: cluster.uri, user: fs.user })
const blockIds = async (file: string): Promise<number[]> => (await fs.blockLocations(file)).map((block) => block.blockId)
const uuidOf = (index: number): string => cluster.datanodes[index]?.uuid ?? ''

/** Waits until the namenode knows all copies. */
async function settled(file: string, copies: number): Promise<void> {
  await waitFor(async () => {
    const known = await fs.admin.replicas(await blockIds(file))
    const bad = known.find((block) => block.replicas.filter((replica) => replica.state === 'LIVE').length !== copies)
    return bad ? `${file}: ${bad.replicas.map((replica) => replica.state).join(', ')}` : undefined
  }, `${copies} live copies of ${file}`)
}

/** The file of a replica, wherever it lies in the directory of a datanode. */
function replicaFiles(blockId: number): string[] {
  return [0, 1, 2].flatMap((index) => {
    const dir = cluster.datanodeDir(index)
    const names = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    return names.filter((name) => path.basename(name) === `blk_${blockId}`).map((name) => path.join(dir, name))
  })
}

function corrupt(blockId: number): void {
  for (const file of replicaFiles(blockId)) {
    const bytes = readFileSync(file)
    bytes[5] = (bytes[5] ?? 0) ^ 0xff
    writeFileSync(file, bytes)
  }
}

describe('nodes that leave', () => {
  beforeAll(async () => {
    await fs.writeFile('/d/three', 'hello\n', { replication: 3 })
    await settled('/d/three', 3)
  }, timeoutMs)

  test(
    'a decommissioning node shows in -replicaDetails, in the summary, and as exit code 3 of -blockId',
    async () => {
      await fs.admin.setNodeState([uuidOf(0)], 'decommission')
      try {
        const { exit, stdout } = await fsck('/d', '-files', '-blocks', '-replicaDetails')
        expect(exit).toBe(0)
        expect(stdout).toMatch(/ 1 block\(s\): {2}OK\n0\. \S+ len=6 Live_repl=2 {2}\[/)
        expect([...stdout.matchAll(/DISK\]\(([A-Z_]+)\)/g)].map((match) => match[1]).toSorted()).toEqual([
          'DECOMMISSIONING',
          'LIVE',
          'LIVE',
        ])
        expect(stdout).toContain('\n Missing replicas:\t\t0 (0.0 %)\n DecommissioningReplicas:\t1\n')
        const [id] = await blockIds('/d/three')
        const one = await fsck('-blockId', `blk_${id}`)
        expect(one.exit).toBe(3)
        expect(one.stdout.slice(one.stdout.indexOf('\n') + 1).replaceAll(/rack: \S+/g, 'rack: {node}')).toBe(`
Block Id: blk_${id}
Block belongs to: /d/three
No. of Expected Replica: 3
No. of live Replica: 2
No. of excess Replica: 0
No. of stale Replica: 0
No. of decommissioned Replica: 0
No. of decommissioning Replica: 1
No. of corrupted Replica: 0
Block replica on datanode/rack: {node} is HEALTHY
Block replica on datanode/rack: {node} is HEALTHY
Block replica on datanode/rack: {node} is DECOMMISSIONING
`)
        const { stdout: report } = await admin('-report', '-decommissioning')
        expect(report).toContain('Decommissioning datanodes (1):\n')
        expect(report).toContain('Decommission Status : Decommission in progress\n')
        expect((await admin('-printTopology')).stdout).toMatch(/ Decommission In Progress\n/)
      } finally {
        await fs.admin.setNodeState([uuidOf(0)], 'in-service')
      }
    },
    timeoutMs,
  )

  test(
    'a node in maintenance is exit code 4 of -maintenance -blockId, and healthy without the flag',
    async () => {
      await fs.admin.setNodeState([uuidOf(1)], 'maintenance', { untilMs: Date.now() + 3_600_000 })
      try {
        await waitFor(
          async () => ((await fs.datanodes('in-maintenance')).length === 1 ? undefined : 'not yet in maintenance'),
          'the maintenance to begin',
        )
        const [id] = await blockIds('/d/three')
        const one = await fsck('-maintenance', '-blockId', `blk_${id}`)
        expect(one.exit).toBe(4)
        expect(one.stdout).toContain(
          'No. of entering maintenance Replica: 0\nNo. of in maintenance Replica: 1\nNo. of corrupted Replica: 0\n',
        )
        expect((await fsck('-blockId', `blk_${id}`)).exit).toBe(0)
        expect((await fsck('/d')).stdout).toContain('\n InMaintenanceReplicas:\t1\n')
        expect((await admin('-report', '-inmaintenance')).stdout).toMatch(
          /Decommission Status : In maintenance\n[^]*In maintenance until: /,
        )
      } finally {
        await fs.admin.setNodeState([uuidOf(1)], 'in-service')
      }
    },
    timeoutMs,
  )
})

describe('a file with a corrupt block', () => {
  const bytes = seededBytes(3 * blockSize + 100, 1)
  let ids: number[]

  beforeAll(async () => {
    await fs.writeFile('/c/four', bytes, { replication: 1, blockSize })
    await settled('/c/four', 1)
    ids = await blockIds('/c/four')
    corrupt(ids[1] as number)
    await expect(fs.readFile('/c/four')).rejects.toThrow()
    await waitFor(async () => {
      const [known] = await fs.admin.replicas([ids[1] as number])
      return known?.replicas[0]?.state === 'CORRUPT' ? undefined : 'not yet reported'
    }, 'the report of the corrupt replica')
  }, timeoutMs)

  test('is CORRUPT, exit code 1, and listed', async () => {
    const { exit, stdout } = await fsck('/c')
    expect(exit).toBe(1)
    expect(stdout).toContain(
      `\n/c/four: CORRUPT blockpool ${fs.namenode.poolId} block blk_${ids[1]}\n\n/c/four: CORRUPT 1 blocks of total size ${blockSize} B.\nStatus: CORRUPT\n`,
    )
    expect(stdout).toContain(`  CORRUPT FILES:\t1\n  CORRUPT BLOCKS: \t1\n  CORRUPT SIZE:\t\t${blockSize} B\n`)
    expect(await fsck('/c', '-list-corruptfileblocks')).toMatchObject({
      exit: 255,
      stdout: `The list of corrupt blocks under path '/c' are:\nblk_${ids[1]}\t1\t/c/four\nThe filesystem under path '/c' has 1 CORRUPT blocks\n`,
    })
    const one = await fsck('-blockId', `blk_${ids[1]}`)
    expect(one.exit).toBe(255)
    expect(one.stdout).toMatch(
      /No\. of corrupted Replica: 1\nBlock replica on datanode\/rack: \S+ is CORRUPT\t ReasonCode: CORRUPTION_REPORTED\n$/,
    )
  })

  test(
    '-move copies the runs that can be read to /lost+found and keeps the file, once',
    async () => {
      expect((await fsck('/c', '-move')).exit).toBe(1)
      const rescued = await fs.readdir('/lost+found/c/four')
      expect(rescued.map((info) => [info.name, info.length])).toEqual([
        ['0', blockSize],
        ['1', blockSize + 100],
      ])
      expect(await fs.readFile('/lost+found/c/four/0')).toEqual(Buffer.from(bytes.subarray(0, blockSize)))
      expect(await fs.readFile('/lost+found/c/four/1')).toEqual(Buffer.from(bytes.subarray(2 * blockSize)))
      expect(await fs.exists('/c/four')).toBe(true)
      const again = await fsck('/c', '-move')
      expect(again.stderr).toContain('fsck: the remains of /c/four lie in /lost+found/c/four already\n')
    },
    timeoutMs,
  )

  test(
    '-delete removes the broken file and no other',
    async () => {
      await fs.writeFile('/c/good', 'fine\n', { replication: 1 })
      expect((await fsck('/c', '-delete')).exit).toBe(1)
      expect((await fs.readdir('/c')).map((info) => info.name)).toEqual(['good'])
      expect((await fsck('/c')).exit).toBe(0)
    },
    timeoutMs,
  )
})

test(
  'an open file is left out, shown by -openforwrite with the block that grows, and listed with its client',
  async () => {
    const writer = await fs.create('/o/open', { blockSize, replication: 2 })
    try {
      await writer.write(seededBytes(blockSize + 1000, 2))
      await writer.hflush()
      expect((await fsck('/o')).stdout).toMatch(/ Total files:\t0 \(Files currently being written: 1\)\n/)
      const { stdout } = await fsck('/o', '-openforwrite', '-files', '-blocks', '-locations')
      expect(stdout).toMatch(
        /\/o\/open \d+ bytes, replicated: replication=2, 1 block\(s\), OPENFORWRITE: {2}OK\n0\. \S+ len=65536 Live_repl=\d {2}\[/,
      )
      expect(stdout).toMatch(/\n\nUnder Construction Block:\n1\. \S+ len=\d+ Expected_repl=2 {2}\[DatanodeInfoWithStorage\[/)
      expect((await admin('-listOpenFiles')).stdout).toMatch(
        /^Client Host {9}\tClient Name {9}\tOpen File Path\n127\.0\.0\.1 {11}\tquarry_\S+\s*\t {13}\/o\/open\n$/,
      )
    } finally {
      await writer.close()
    }
    expect((await admin('-listOpenFiles')).stdout).toBe('Client Host         \tClient Name         \tOpen File Path\n')
  },
  timeoutMs,
)

test('who is not the superuser sees the health of what may be read', async () => {
  await fs.mkdir('/public')
  await fs.writeFile('/public/f', 'hello\n')
  const { exit, stdout } = await runShell('fsck', ['/public', '-files', '-blocks'], { uri: cluster.uri, user: 'alice' })
  expect(exit).toBe(0)
  expect(stdout).toMatch(/\/public\/f 6 bytes, replicated: replication=3, 1 block\(s\): {2}OK\n0\. \S+ len=6 Live_repl=3\n/)
})

test('metasave writes a file on the namenode, and says where', async () => {
  const { exit, stdout } = await admin('-metasave', 'state.txt')
  expect(exit).toBe(0)
  const file = /On the machine of the namenode it is (\S+)\n$/.exec(stdout)?.[1] ?? ''
  expect(readFileSync(file, 'utf8')).toContain('Live Datanodes: 3\nDead Datanodes: 0\n')
})
