// `quarry storagepolicies` against what `hdfs storagepolicies` of Hadoop 3.4.3 printed and answered.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TextOutput } from '../../cli/output/output.ts'
import { runStoragePolicies } from '../../cli/shell/storagepolicies.ts'
import { FileSystem } from '../../client/index.ts'
import { MiniCluster } from '../support/mini-cluster.ts'

let cluster: MiniCluster

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 1 })
  await (await cluster.connect()).mkdir('/d')
})
afterAll(() => cluster.close())

/** Exit code, then what was printed. */
async function answer(line: string, user?: string): Promise<string> {
  const out = new TextOutput()
  const err = new TextOutput()
  const streams = { out, err, input: async function* () {}, ask: async () => '', progress: undefined, signal: new AbortController().signal }
  const connect = () => FileSystem.connect(cluster.uri, user === undefined ? {} : { user })
  const exit = await runStoragePolicies(line === '' ? [] : line.split(' '), { streams, connect })
  return `${exit} ${out.text}${err.text}`
}

const cold = 'BlockStoragePolicy{COLD:2, storageTypes=[ARCHIVE], creationFallbacks=[], replicationFallbacks=[]}'

it('lists the policies of HDFS', async () => {
  expect(await answer('-listPolicies')).toBe(
    `0 Block Storage Policies:
\tBlockStoragePolicy{PROVIDED:1, storageTypes=[PROVIDED, DISK], creationFallbacks=[PROVIDED, DISK], replicationFallbacks=[PROVIDED, DISK]}
\t${cold}
\tBlockStoragePolicy{WARM:5, storageTypes=[DISK, ARCHIVE], creationFallbacks=[DISK, ARCHIVE], replicationFallbacks=[DISK, ARCHIVE]}
\tBlockStoragePolicy{HOT:7, storageTypes=[DISK], creationFallbacks=[], replicationFallbacks=[ARCHIVE]}
\tBlockStoragePolicy{ONE_SSD:10, storageTypes=[SSD, DISK], creationFallbacks=[SSD, DISK], replicationFallbacks=[SSD, DISK]}
\tBlockStoragePolicy{ALL_SSD:12, storageTypes=[SSD], creationFallbacks=[DISK], replicationFallbacks=[DISK]}
\tBlockStoragePolicy{ALL_NVDIMM:14, storageTypes=[NVDIMM], creationFallbacks=[DISK], replicationFallbacks=[DISK]}
\tBlockStoragePolicy{LAZY_PERSIST:15, storageTypes=[RAM_DISK, DISK], creationFallbacks=[DISK], replicationFallbacks=[DISK]}
`,
  )
})

it('sets, shows and unsets one', async () => {
  expect(await answer('-getStoragePolicy -path /d')).toBe('0 The storage policy of /d is unspecified\n')
  expect(await answer('-setStoragePolicy -path /d -policy COLD')).toBe('0 Set storage policy COLD on /d\n')
  expect(await answer('-getStoragePolicy -path /d')).toBe(`0 The storage policy of /d:\n${cold}\n`)
  expect(await answer('-unsetStoragePolicy -path /d')).toBe('0 Unset storage policy from /d\n')
  expect(await answer('-getStoragePolicy -path /d extra')).toBe('0 The storage policy of /d is unspecified\n')
})

it('fails in the words of Hadoop', async () => {
  expect(await answer('-getStoragePolicy -path /nope')).toBe('2 File/Directory does not exist: /nope\n')
  expect(await answer('-setStoragePolicy -path /nope -policy COLD')).toBe('2 FileNotFoundException: File/Directory does not exist: /nope\n')
  expect(await answer('-unsetStoragePolicy -path /nope')).toBe('2 FileNotFoundException: File/Directory does not exist: /nope\n')
  expect(await answer('-setStoragePolicy -path /d -policy frob')).toBe('2 RemoteException: Cannot find a block policy with the name frob\n')
  expect(await answer('-setStoragePolicy -path /d -policy HOT', 'bob')).toContain('2 AccessControlException: Permission denied: user=bob')
  expect(await answer('-satisfyStoragePolicy -path /d')).toBe(
    '2 RemoteException: Cannot request to satisfy storage policy when storage policy satisfier feature has been disabled by admin. Seek for an admin help to enable it or use Mover tool.\n',
  )
})

it('explains itself', async () => {
  const set =
    '[-setStoragePolicy -path <path> -policy <policy>]\n\nSet the storage policy to a file/directory.\n\n' +
    '<path>    The path of the file/directory to set storage policy \n<policy>  The name of the block storage policy                 \n'
  expect(await answer('-setStoragePolicy -path /d')).toBe(`1 Please specify the policy name.\nUsage: ${set}\n`)
  expect(await answer('-help setStoragePolicy')).toBe(`0 ${set}`)
  expect(await answer('-help')).toContain(`1 [-listPolicies]\n\nList all the existing block storage policies.\n\n${set}\n`)
  const usage =
    'Usage: bin/hdfs storagepolicies [COMMAND]\n' +
    '          [-listPolicies]\n' +
    '          [-setStoragePolicy -path <path> -policy <policy>]\n' +
    '          [-getStoragePolicy -path <path>]\n' +
    '          [-unsetStoragePolicy -path <path>]\n' +
    '          [-satisfyStoragePolicy -path <path>]\n' +
    '          [-help <command-name>]\n\nGeneric options supported are:\n'
  expect(await answer('')).toContain(`1 ${usage}`)
  expect(await answer('-frob')).toContain(`1 Can't understand command '-frob'\n${usage}`)
})
