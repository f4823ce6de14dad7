// A program in any language that has gRPC and the published .proto files can use the cluster. This one makes its client from the
// files at run time, with default channel settings and none of our codecs, transports or checksums: what it sees is the protocol.
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import path from 'node:path'
import { credentials, loadPackageDefinition, type Client, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MiniCluster } from '../support/mini-cluster.ts'

const protoDir = path.resolve(import.meta.dirname, '../../proto')
const chunkBytes = 512
const packetBytes = 64 * 1024
/** A call that answers nothing for this long fails, milliseconds. */
const patienceMs = 60_000

/** A decoded message, with the field names of the .proto file. */
interface Message {
  readonly [field: string]: Field
}
type Field = undefined | null | string | number | boolean | Uint8Array | Message | readonly Field[]

/** A stream of grpc-js, as its documentation describes it. */
interface Call extends EventEmitter, AsyncIterable<Message> {
  write(message: object): boolean
  end(): void
  cancel(): void
}
type Stub = Client & Record<string, (...args: unknown[]) => Call>

const loaded = loadPackageDefinition(
  loadSync(
    ['namenode', 'datanode', 'compute'].map((name) => `quarry/v1/${name}.proto`),
    {
      includeDirs: [protoDir],
      keepCase: true,
      longs: Number,
      enums: String,
      defaults: true,
      oneofs: true,
    },
  ),
) as unknown as { quarry: { v1: Record<'Namenode' | 'Datanode', ServiceClientConstructor> } }

const stubOf = (service: 'Namenode' | 'Datanode', address: string) =>
  new loaded.quarry.v1[service](address, credentials.createInsecure()) as unknown as Stub
const deadline = () => ({ deadline: Date.now() + patienceMs })

/** One metadata stream: sends calls, hands each reply to the call of its id. */
class Metadata {
  readonly #stream: Call
  readonly #replies = new EventEmitter()
  #id = 0

  constructor(stub: Stub) {
    this.#stream = stub['Calls']!(deadline())
    this.#stream.on('data', (batch: Message) => {
      if (batch['welcome']) this.#replies.emit('welcome', batch['welcome'])
      for (const reply of batch['replies'] as readonly Message[]) this.#replies.emit(`reply ${String(reply['id'])}`, reply)
    })
    this.#stream.on('error', (error) => this.#replies.emit('error', error))
  }

  async hello(hello: object): Promise<Message> {
    const answer = once(this.#replies, 'welcome')
    this.#stream.write({ hello })
    return ((await answer) as [Message])[0]
  }

  /** The whole Reply. */
  async call(op: string, request: object): Promise<Message> {
    const id = ++this.#id
    const answer = once(this.#replies, `reply ${id}`)
    this.#stream.write({ calls: [{ id, [op]: request }] })
    return ((await answer) as [Message])[0]
  }

  /** The result of a call that must not fail. */
  async ask(op: string, request: object): Promise<Message> {
    const reply = await this.call(op, request)
    expect(reply['error']).toBeNull()
    expect(reply['op']).toBe(op)
    return reply[op] as Message
  }

  async close(): Promise<void> {
    const ended = once(this.#stream, 'end')
    this.#stream.end()
    await ended
  }
}

/** CRC32C by the book: reflected polynomial 0x82f63b78. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}

function checksumsOf(data: Uint8Array): Buffer {
  const sums = Buffer.alloc(4 * Math.ceil(data.length / chunkBytes))
  for (let i = 0; i * 4 < sums.length; i++) sums.writeUInt32BE(crc32c(data.subarray(i * chunkBytes, (i + 1) * chunkBytes)), i * 4)
  return sums
}

/** The frames of a block: header, packets, the last one without data. */
function framesOf(header: object, data: Uint8Array): object[] {
  const packets = Array.from({ length: Math.ceil(data.length / packetBytes) }, (_, seqno) => {
    const part = data.subarray(seqno * packetBytes, (seqno + 1) * packetBytes)
    return { packet: { seqno, offset: seqno * packetBytes, checksums: checksumsOf(part), data: part } }
  })
  return [{ header }, ...packets, { packet: { seqno: packets.length, offset: data.length, last: true } }]
}

describe('a client made from the .proto files', () => {
  const holder = 'foreign-1'
  let cluster: MiniCluster
  let namenode: Stub
  let metadata: Metadata
  let welcome: Message

  beforeAll(async () => {
    cluster = await MiniCluster.start({ datanodes: 3 })
    namenode = stubOf('Namenode', cluster.namenode.grpc)
    metadata = new Metadata(namenode)
    welcome = await metadata.hello({ protocol: 3, user: 'alice', client_id: randomBytes(16) })
    // Every test below would wait for answers that never come.
    if (welcome['refused'] !== null) throw new Error(`the namenode refuses this client: ${JSON.stringify(welcome['refused'])}`)
    const fs = await cluster.connect()
    await fs.mkdir('/foreign')
    await fs.setPermission('/foreign', 0o777)
  })

  afterAll(async () => {
    await metadata?.close()
    namenode?.close()
    await cluster?.close()
  })

  it('is welcomed by the namenode with the identity of the cluster', () => {
    expect(welcome).toMatchObject({ protocol: 3, cluster_id: cluster.namenode.clusterId, pool_id: cluster.namenode.poolId, refused: null })
  })

  it('is refused with a reason when it speaks another protocol', async () => {
    const stranger = stubOf('Namenode', cluster.namenode.grpc)
    const session = new Metadata(stranger)
    const { refused } = await session.hello({ protocol: 9999, user: 'alice', client_id: randomBytes(16) })
    expect(refused).toMatchObject({ code: expect.any(String), message: expect.stringContaining('9999') })
    stranger.close()
  })

  it('makes directories and an empty file and lists them as columns', async () => {
    expect(await metadata.ask('mkdirs', { path: '/foreign/list/dir', permission: 0o755, create_parent: true })).toMatchObject({
      value: true,
    })
    const created = await metadata.ask('create', { path: '/foreign/list/empty-é', permission: 0o640, holder, create_parent: true })
    const file = created['file'] as Message
    expect(file).toMatchObject({
      kind: 'KIND_FILE',
      length: 0,
      permission: 0o640,
      owner: 'alice',
      replication: 3,
      under_construction: true,
    })
    expect(await metadata.ask('complete', { path: '/foreign/list/empty-é', file_id: file['file_id'], holder })).toMatchObject({
      value: true,
    })

    const listing = await metadata.ask('get_listing', { path: '/foreign/list' })
    expect(listing).toMatchObject({ exists: true, is_file: false, more: false, entries: 2, length: [0, 0], replication: [0, 3] })
    const names = Buffer.from(listing['names'] as Uint8Array)
    const lengths = listing['name_lengths'] as readonly number[]
    expect([names.subarray(0, lengths[0]).toString(), names.subarray(lengths[0]).toString()]).toEqual(['dir', 'empty-é'])
    expect(listing['kind_permission']).toEqual([(1 << 16) | 0o755, (2 << 16) | 0o640])
    expect((listing['file_id'] as readonly number[])[1]).toBe(file['file_id'])
    const principals = listing['principals'] as readonly string[]
    expect((listing['owner'] as readonly number[]).map((index) => principals[index])).toEqual(['alice', 'alice'])
  })

  it('sees a failure as a WireError with a code', async () => {
    const reply = await metadata.call('get_block_locations', { path: '/foreign/missing', offset: 0, length: 1 })
    expect(reply['error']).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('/foreign/missing') })
    expect(reply['op']).toBeUndefined()
  })

  it('writes a block through a pipeline of three with its own checksums, and reads it back', { timeout: 120_000 }, async () => {
    const target = '/foreign/block'
    const data = randomBytes(3 * packetBytes + 777)
    const { file } = await metadata.ask('create', { path: target, permission: 0o644, holder, create_parent: true })
    const fileId = (file as Message)['file_id']
    const { block: located, pool_id: pool } = await metadata.ask('add_block', { path: target, file_id: fileId, holder })
    const { block, locations } = located as { block: Message; locations: readonly Message[] } & Message
    expect(locations).toHaveLength(3)
    expect(pool).toBe(welcome['pool_id'])

    const [first, ...rest] = locations
    const node = first!['datanode'] as Message
    const datanode = stubOf('Datanode', `${String(node['ip'])}:${String(node['grpc_port'])}`)
    try {
      const write = datanode['WriteBlock']!(deadline())
      const header = {
        pool_id: pool,
        block: { block_id: block['block_id'], genstamp: block['genstamp'], length: 0 },
        stage: 'WRITE_SETUP_CREATE',
        targets: rest,
        storage_uuid: first!['storage_uuid'],
        storage_type: first!['storage_type'],
        checksum: { type: 'CHECKSUM_CRC32C', bytes_per_chunk: chunkBytes },
        client: holder,
        target_storages: rest.map((location) => location['storage_uuid']),
      }
      const frames = framesOf(header, data)
      for (const frame of frames) write.write(frame)
      write.end()
      const replies: Message[] = []
      for await (const reply of write) replies.push(reply)
      expect(replies[0]).toMatchObject({ body: 'setup', setup: { status: 'PIPELINE_SUCCESS', error: null } })
      expect((replies[0]!['setup'] as Message)['storages']).toEqual(locations.map((location) => location['storage_uuid']))
      const success = ['PIPELINE_SUCCESS', 'PIPELINE_SUCCESS', 'PIPELINE_SUCCESS']
      expect(replies.slice(1).map((reply) => reply['ack'])).toEqual(
        frames
          .slice(1)
          .map((_, seqno) => ({ seqno, statuses: success, message: '', took_ms: success.map(() => expect.any(Number) as number) })),
      )

      const last = { block_id: block['block_id'], genstamp: block['genstamp'], length: data.length }
      expect(await metadata.ask('complete', { path: target, file_id: fileId, holder, last })).toMatchObject({ value: true })

      const info = await new Promise<Message>((resolve, reject) => {
        datanode['ReplicaInfo']!({ pool_id: pool, block: last }, deadline(), (error: Error | null, reply: Message) =>
          error === null ? resolve(reply) : reject(error),
        )
      })
      expect(info).toMatchObject({
        block: last,
        state: 'REPLICA_FINALIZED',
        checksum: { type: 'CHECKSUM_CRC32C', bytes_per_chunk: chunkBytes },
        data_path: '',
      })

      const offset = 1000
      const read = datanode['ReadBlock']!({ pool_id: pool, block: last, offset, length: data.length - offset, client: holder }, deadline())
      const answers: Message[] = []
      for await (const answer of read) answers.push(answer)
      const chunkOffset = offset - (offset % chunkBytes)
      expect(answers[0]).toMatchObject({ body: 'header', header: { chunk_offset: chunkOffset, visible_length: data.length } })
      const packets = answers
        .slice(1)
        .map((answer) => answer['packet'] as { data: Buffer; checksums: Buffer; offset: number; last: boolean })
      expect(packets.map((packet) => packet.last)).toEqual(packets.map((_, i) => i === packets.length - 1))
      expect(packets[0]!.offset).toBe(chunkOffset)
      for (const packet of packets) expect(packet.checksums.equals(checksumsOf(packet.data))).toBe(true)
      expect(Buffer.concat(packets.map((packet) => packet.data)).equals(data.subarray(chunkOffset))).toBe(true)
    } finally {
      datanode.close()
    }

    // And our own client reads what the foreign one wrote.
    const fs = await cluster.connect({ localReads: false })
    expect(Buffer.from(await fs.readFile(target)).equals(data)).toBe(true)
  })

  it('hears of a wrong checksum as the status of its packet', async () => {
    const target = '/foreign/bad'
    const { file } = await metadata.ask('create', { path: target, permission: 0o644, holder, create_parent: true, replication: 1 })
    const { block: located, pool_id: pool } = await metadata.ask('add_block', {
      path: target,
      file_id: (file as Message)['file_id'],
      holder,
    })
    const { block, locations } = located as { block: Message; locations: readonly Message[] } & Message
    expect(locations).toHaveLength(1)
    const node = locations[0]!['datanode'] as Message
    const datanode = stubOf('Datanode', `${String(node['ip'])}:${String(node['grpc_port'])}`)
    try {
      const write = datanode['WriteBlock']!(deadline())
      write.on('error', () => {})
      const header = {
        pool_id: pool,
        block,
        stage: 'WRITE_SETUP_CREATE',
        checksum: { type: 'CHECKSUM_CRC32C', bytes_per_chunk: chunkBytes },
      }
      const data = randomBytes(chunkBytes)
      write.write({ header })
      write.write({ packet: { seqno: 0, offset: 0, checksums: Buffer.from([1, 2, 3, 4]), data } })
      const replies: Message[] = []
      for await (const reply of write) {
        replies.push(reply)
        if (reply['body'] === 'ack') break
      }
      expect(replies[1]).toMatchObject({ body: 'ack', ack: { seqno: 0, statuses: ['PIPELINE_ERROR_CHECKSUM'] } })
      write.cancel()
    } finally {
      datanode.close()
    }
    expect(await metadata.ask('delete', { path: target })).toMatchObject({ value: true })
  })
})
