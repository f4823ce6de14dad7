// What Hadoop's clients send to a namenode and to the ipc port of a datanode: connections from their first byte on, and the request
// of each kind of call.
import { must } from '../../../common/assert.ts'
import { ByteQueue } from '../../../proto/hadoop/byte-queue.ts'
import { appendDelimited, decodeHadoop, encodeHadoop } from '../../../proto/hadoop/codec.ts'
import type { HadoopInit, HadoopMessage } from '../../../proto/hadoop/codec.ts'
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import { callFrame, contextFrame, frame, preamble, requestHeader } from '../../../proto/hadoop/testing/rpc-client.ts'
import type { Target } from '../fuzz.ts'
import { mutated } from '../mutate.ts'

const block = { poolId: 'BP-1-127.0.0.1-1', blockId: 1_073_741_900, generationStamp: 1003, numBytes: 4096 }
const node = {
  id: { ipAddr: '127.0.0.1', hostName: 'a', datanodeUuid: 'a', xferPort: 9866, infoPort: 9864, ipcPort: 9867 },
  location: '/default-rack',
}
const perm = { perm: 0o755 }

interface Sample<K extends HadoopMessage = HadoopMessage> {
  readonly method: string
  readonly type: K
  readonly request: HadoopInit<MessageTypes[K]>
}
const sample = <K extends HadoopMessage>(method: string, type: K, request: HadoopInit<MessageTypes[K]>): Sample => ({
  method,
  type,
  request: request as Sample['request'],
})

const samples: readonly Sample[] = [
  sample('getFileInfo', 'PathRequest', { path: '/a/b' }),
  sample('getListing', 'HdfsListingRequest', { src: '/', startAfter: Buffer.from('name'), needLocation: true }),
  sample('getBlockLocations', 'LocationsRequest', { src: '/others', offset: 0, length: 2 ** 40 }),
  sample('mkdirs', 'HdfsMkdirsRequest', { src: '/fuzz/d', masked: perm, createParent: true, unmasked: perm }),
  sample('create', 'HdfsCreateRequest', {
    src: '/fuzz/f',
    masked: perm,
    clientName: 'c',
    flag: 3,
    createParent: true,
    replication: 1,
    blockSize: 1_048_576,
  }),
  sample('addBlock', 'HdfsAddBlockRequest', { src: '/fuzz/f', clientName: 'c', previous: block, excluded: [node], favored: ['a:1'] }),
  sample('complete', 'HdfsCompleteRequest', { src: '/fuzz/f', clientName: 'c', last: block, fileId: 16_390 }),
  sample('updatePipeline', 'HdfsUpdatePipelineRequest', {
    clientName: 'c',
    oldBlock: block,
    newBlock: block,
    datanodes: [node.id],
    storageIds: ['DS-1'],
  }),
  sample('setAcl', 'AclRequest', { src: '/fuzz', entries: [{ type: 0, scope: 1, permissions: 7, name: 'bob' }] }),
  sample('setXAttr', 'HdfsSetXAttrRequest', { src: '/fuzz', xattr: { namespace: 0, name: 'k', value: Buffer.from('v') }, flag: 1 }),
  sample('setQuota', 'HdfsSetQuotaRequest', { path: '/fuzz', names: 2 ** 63 - 1024, space: -1, type: 2 }),
  sample('rename2', 'Rename2HadoopRequest', { src: '/fuzz/f', dst: '/fuzz/g', overwrite: true }),
  sample('setTimes', 'HdfsSetTimesRequest', { src: '/fuzz', mtime: -1, atime: 1 }),
  sample('reportBadBlocks', 'HdfsBadBlocksRequest', {
    blocks: [{ block, offset: 0, locations: [node], corrupt: false, token: {}, isCached: [true, false], storageIds: ['DS-1'] }],
  }),
]

const frames = samples.map(({ method, type, request }, callId) => callFrame(callId, method, type, request))
const sasl = frame((writer) => {
  appendDelimited(writer, 'RpcRequestHeader', requestHeader(-33))
  appendDelimited(writer, 'RpcSasl', { state: 1, auths: [{ method: 'TOKEN', mechanism: 'DIGEST-MD5' }] })
})

/** Whole connections. */
export const rpcConnections: readonly Buffer[] = [
  Buffer.concat([preamble(), contextFrame('fuzz'), ...frames]),
  Buffer.concat([preamble(9, 0xdf), sasl, contextFrame('fuzz', 'proxy'), must(frames[0])]),
  ...frames.map((call) => Buffer.concat([preamble(), contextFrame('fuzz'), call])),
]

function requests(): Target {
  const encoded = samples.map(({ type, request }) => encodeHadoop(type, request))
  return {
    name: 'hadoop requests',
    draw: (random) => {
      const index = random.int(samples.length)
      return Buffer.concat([Buffer.from([index]), mutated([must(encoded[index])], random)])
    },
    take: (input) => decodeHadoop(must(samples[(input[0] ?? 0) % samples.length]).type, input.subarray(1)),
  }
}

/** A queue gives back what was put in, however it came and is taken. */
function queue(): Target {
  return {
    name: 'hadoop byte queue',
    draw: (random) => Buffer.concat([Buffer.from([random.int(256), random.int(256)]), mutated(rpcConnections, random)]),
    take: (input) => {
      const [sent, taken] = [1 + (input[0] ?? 0), 1 + (input[1] ?? 0)]
      const bytes = input.subarray(2)
      const waiting = new ByteQueue()
      const out: Buffer[] = []
      for (let at = 0; at < bytes.length; at += sent) {
        waiting.push(Buffer.from(bytes.subarray(at, at + sent)))
        for (let piece = waiting.take(taken); piece !== undefined; piece = waiting.take(taken)) out.push(piece)
        waiting.compact()
      }
      out.push(must(waiting.take(waiting.length)))
      if (!Buffer.concat(out).equals(bytes)) throw new Error('other bytes came out')
    },
  }
}

export const rpcTargets = (): Target[] => [requests(), queue()]
