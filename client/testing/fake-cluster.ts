// A namenode and datanodes in memory, just large enough for the SDK: a tree of files with blocks, replicas as byte arrays, and
// faults given per datanode. The rules that matter to a client are kept: generation stamps, pipeline order, aligned reads.
import { assert, must } from '../../common/assert.ts'
import { chunkChecksums, crc32c, firstBadChunk } from '../../common/checksum.ts'
import type { Clock } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { pipelinePatienceMs } from '../../common/limits.ts'
import { compareNames, nameOf, parentOf } from '../../common/path.ts'
import { createHash } from 'node:crypto'
import { ChecksumType, FileKind, PipelineStatus, ReplicaState, StorageType, WriteStage } from '../../proto/ports.ts'
import type {
  Block,
  DatanodeId,
  FileStatus,
  Init,
  LocatedBlock,
  Method,
  NamenodePort,
  Packet,
  ReadFrame,
  ReadRequest,
  ReplicaLocation,
  ReplyOf,
  Request,
  WriteHeader,
  WriteReply,
} from '../../proto/ports.ts'
import type { DatanodeClient, DatanodeSource, WriteStream } from '../../proto/transport/datanode-client.ts'

export interface Replica {
  genstamp: number
  bytes: Buffer
  final: boolean
  /** As stored with the bytes: corrupting `bytes` later leaves them as they were. */
  checksums: Buffer
}

/** What goes wrong at one datanode. */
export interface Faults {
  /** Refuses to set up a pipeline. */
  refuseSetup?: boolean
  /** Dies when this many more packets have arrived. */
  dieAfterPackets?: number
  /** Dies after sending this many bytes of a read. */
  dieAfterReadBytes?: number
  /** Says nothing more to a reader after this many bytes. */
  stallAfterReadBytes?: number
  /** Says that it restarts when this many more packets have arrived, and is away for as many probes as `restartProbes`. */
  restartAfterPackets?: number
  restartProbes?: number
  /** Finds a packet damaged when this many more have arrived. */
  corruptAfterPackets?: number
  /** Neither answers nor passes anything on when this many more packets have arrived. */
  stallAfterPackets?: number
  /** Neither answers a set-up. */
  stallSetup?: boolean
  /** How long it takes to write a packet. */
  tookMs?: number
  /** Answers no question. */
  silent?: boolean
  /** A copy to it fails. */
  refuseCopies?: boolean
}

export class FakeDatanode {
  readonly id: DatanodeId
  readonly replicas = new Map<number, Replica>()
  faults: Faults = {}
  alive = true
  restarting = false

  constructor(index: number) {
    this.id = {
      uuid: `dn${index}`,
      ip: '10.0.0.1',
      hostname: `dn${index}`,
      grpcPort: 1000 + index,
      transferPort: 0,
      httpPort: 0,
      ipcPort: 0,
      rack: '/default-rack',
      hostId: '',
      httpAddress: '',
    }
  }
}

interface FakeFile {
  kind: 'file'
  id: number
  blockSize: number
  replication: number
  blocks: { block: Block; nodes: string[] }[]
  open: boolean
  /** The last block is under construction. */
  writing: boolean
  mtimeMs: number
}

interface FakeDirectory {
  kind: 'directory'
  id: number
}

const chunk = 512
/** Until the caller gives up. */
const silence = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new QuarryError('CANCELLED', 'given up')), { once: true }))
const notHere = (): Promise<never> => Promise.reject(new QuarryError('UNSUPPORTED', 'the fake does not do this'))

export class FakeCluster implements DatanodeSource {
  readonly datanodes: FakeDatanode[]
  readonly entries = new Map<string, FakeFile | FakeDirectory>([['/', { kind: 'directory', id: 16385 }]])
  /** Every call that reached the namenode. */
  readonly calls: { readonly method: Method; readonly request: object }[] = []
  readonly namenode: NamenodePort
  trashIntervalMinutes = 360
  /** Needed where a datanode is to notice that the one below it is silent. */
  clock: Clock | undefined
  /** complete() answers no this often. */
  completeRefusals = 0
  /** So many new blocks come without datanodes, as from a namenode that restarted after it had placed them. */
  forgottenTargets = 0
  /** As many answers to append and getBlockLocations know no datanode, as just after a start of the namenode. */
  forgottenPlaces = 0
  #nextId = 16386
  #nextBlock = 2 ** 30 + 1
  #nextGenstamp = 1001

  constructor(datanodes = 3) {
    this.datanodes = Array.from({ length: datanodes }, (_, i) => new FakeDatanode(i))
    this.namenode = {
      poolId: 'BP-fake',
      call: async <M extends Method>(method: M, request: Init<Request<M>>) => {
        this.calls.push({ method, request: request as object })
        await Promise.resolve()
        const handler = (this as unknown as Record<string, ((request: unknown) => unknown) | undefined>)[`on_${method}`]
        if (!handler) throw new QuarryError('UNSUPPORTED', `the fake has no ${method}`)
        return handler.call(this, request) as ReplyOf<M>
      },
      close: async () => {},
    }
  }

  callsOf<M extends Method>(method: M): Request<M>[] {
    return this.calls.filter((call) => call.method === method).map((call) => call.request as Request<M>)
  }

  addFile(path: string, bytes: Uint8Array, options: { blockSize?: number; nodes?: number[] } = {}): void {
    const blockSize = options.blockSize ?? 4096
    const nodes = (options.nodes ?? this.datanodes.map((_, i) => i)).map((i) => this.datanodes[i]!)
    const file: FakeFile = {
      kind: 'file',
      id: this.#nextId++,
      blockSize,
      replication: nodes.length,
      blocks: [],
      open: false,
      writing: false,
      mtimeMs: 1000,
    }
    for (let at = 0; at < bytes.length; at += blockSize) {
      const data = Buffer.from(bytes.subarray(at, at + blockSize))
      const block = { blockId: this.#nextBlock++, genstamp: this.#nextGenstamp++, length: data.length }
      for (const node of nodes)
        node.replicas.set(block.blockId, {
          genstamp: block.genstamp,
          bytes: Buffer.from(data),
          final: true,
          checksums: chunkChecksums(data, chunk),
        })
      file.blocks.push({ block, nodes: nodes.map((node) => node.id.uuid) })
    }
    this.#makeParents(path)
    this.entries.set(path, file)
  }

  file(path: string): FakeFile {
    const entry = this.entries.get(path)
    assert(entry?.kind === 'file', `${path} is a file`)
    return entry
  }

  get(node: Pick<DatanodeId, 'ip' | 'grpcPort'>): DatanodeClient {
    return this.#client(must(this.datanodes.find((datanode) => datanode.id.grpcPort === node.grpcPort)))
  }

  async close(): Promise<void> {}

  node(uuid: string): FakeDatanode {
    return must(this.datanodes.find((datanode) => datanode.id.uuid === uuid))
  }

  // --- namenode -----------------------------------------------------------------------------------------------------------

  protected on_getServerDefaults(): object {
    return { trashIntervalMinutes: this.trashIntervalMinutes, softLeaseMs: 60_000, blockSize: 4096, replication: 3 }
  }

  protected on_renewLease(): object {
    return {}
  }

  protected on_getFileInfo({ path }: { path: string }): object {
    return { file: this.#status(path) }
  }

  protected on_getListing({ path, startAfter }: { path: string; startAfter: string }): object {
    const entry = this.entries.get(path)
    if (!entry) return { exists: false, isFile: false, more: false, entries: 0 }
    const paths =
      entry.kind === 'file'
        ? [path]
        : [...this.entries.keys()].filter((one) => one !== '/' && parentOf(one) === path).sort((a, b) => compareNames(nameOf(a), nameOf(b)))
    const page = paths.filter((one) => entry.kind === 'file' || compareNames(nameOf(one), startAfter) > 0).slice(0, 3)
    const infos = page.map((one) => must(this.#status(one)))
    const names = page.map((one) => Buffer.from(entry.kind === 'file' ? '' : nameOf(one)))
    return {
      exists: true,
      isFile: entry.kind === 'file',
      more: page.length === 3,
      entries: page.length,
      names: Buffer.concat(names),
      nameLengths: names.map((name) => name.length),
      kindPermission: infos.map((info) => (info.kind << 16) | (info.underConstruction ? 0x8000 : 0) | info.permission),
      length: infos.map((info) => info.length),
      mtimeMs: infos.map((info) => info.mtimeMs),
      atimeMs: infos.map(() => 0),
      owner: infos.map(() => 0),
      group: infos.map(() => 1),
      principals: ['me', 'supergroup'],
      replication: infos.map((info) => info.replication),
      blockSize: infos.map((info) => info.blockSize),
      fileId: infos.map((info) => info.fileId),
      children: infos.map(() => 0),
      storagePolicy: [],
    }
  }

  protected on_mkdirs({ path }: { path: string }): object {
    for (let at = path; at !== '/'; at = parentOf(at)) {
      if (this.entries.get(at)?.kind === 'file') throw new QuarryError('NOT_A_DIRECTORY', `${at} is a file`)
    }
    this.#makeParents(`${path}/x`)
    return { value: true }
  }

  protected on_rename2({ source, target, overwrite }: { source: string; target: string; overwrite: boolean }): object {
    const entry = this.entries.get(source)
    if (!entry) throw new QuarryError('NOT_FOUND', `File does not exist: ${source}`)
    if (this.entries.has(target) && !overwrite) throw new QuarryError('ALREADY_EXISTS', `${target} exists`)
    for (const [path, one] of [...this.entries]) {
      if (path !== source && !path.startsWith(`${source}/`)) continue
      this.entries.delete(path)
      this.entries.set(target + path.slice(source.length), one)
    }
    return {}
  }

  protected on_delete({ path }: { path: string }): object {
    const found = this.entries.has(path)
    for (const one of [...this.entries.keys()]) if (one === path || one.startsWith(`${path}/`)) this.entries.delete(one)
    return { value: found }
  }

  protected on_setPermission(): object {
    return {}
  }

  protected on_setTimes({ path, mtimeMs }: { path: string; mtimeMs: number }): object {
    const entry = this.entries.get(path)
    if (entry?.kind === 'file') entry.mtimeMs = mtimeMs
    return {}
  }

  protected on_create({
    path,
    blockSize,
    replication,
    overwrite,
  }: {
    path: string
    blockSize: number
    replication: number
    overwrite: boolean
  }): object {
    if (this.entries.has(path) && !overwrite) throw new QuarryError('ALREADY_EXISTS', `${path} exists`)
    this.#makeParents(path)
    this.entries.set(path, {
      kind: 'file',
      id: this.#nextId++,
      blockSize: blockSize || 4096,
      replication: replication || 3,
      blocks: [],
      open: true,
      writing: false,
      mtimeMs: 1000,
    })
    return { file: this.#status(path) }
  }

  protected on_append({ path }: { path: string }): object {
    const file = this.file(path)
    file.open = true
    const last = file.blocks.at(-1)
    const partial = last !== undefined && last.block.length < file.blockSize
    file.writing = partial
    return { lastBlock: partial ? this.#placed(this.#located(file, file.blocks.length - 1)) : null, file: this.#status(path) }
  }

  protected on_addBlock({ fileId, previous, excluded }: { fileId: number; previous: Block | null; excluded: string[] }): object {
    const file = this.#byId(fileId)
    if (previous) this.#commit(file, previous)
    const nodes = this.datanodes.filter((node) => node.alive && !excluded.includes(node.id.uuid)).slice(0, file.replication)
    if (nodes.length === 0) throw new QuarryError('NO_TARGETS', 'no datanode is left')
    file.blocks.push({
      block: { blockId: this.#nextBlock++, genstamp: this.#nextGenstamp++, length: 0 },
      nodes: nodes.map((node) => node.id.uuid),
    })
    file.writing = true
    const block = this.#located(file, file.blocks.length - 1)
    if (this.forgottenTargets > 0) {
      this.forgottenTargets--
      return { block: { ...block, locations: [] }, poolId: 'BP-fake' }
    }
    return { block, poolId: 'BP-fake' }
  }

  protected on_abandonBlock({ fileId, block }: { fileId: number; block: Block }): object {
    const file = this.#byId(fileId)
    assert(file.blocks.at(-1)?.block.blockId === block.blockId, 'only the last block can be abandoned')
    file.blocks.pop()
    file.writing = false
    return {}
  }

  protected on_additionalDatanode({ fileId, existing, excluded }: { fileId: number; existing: string[]; excluded: string[] }): object {
    const file = this.#byId(fileId)
    const found = this.datanodes.find((node) => node.alive && ![...existing, ...excluded].includes(node.id.uuid))
    if (!found) throw new QuarryError('NO_TARGETS', 'no datanode is left')
    const located = this.#located(file, file.blocks.length - 1)
    return { block: { ...located, locations: [...existing, found.id.uuid].map((uuid) => this.#location(uuid)) }, poolId: 'BP-fake' }
  }

  protected on_updateBlockForPipeline({ block }: { block: Block }): object {
    return { block: { block: { ...block, genstamp: this.#nextGenstamp++ } } }
  }

  protected on_updatePipeline({ oldBlock, newBlock, datanodes }: { oldBlock: Block; newBlock: Block; datanodes: string[] }): object {
    for (const entry of this.entries.values()) {
      const found = entry.kind === 'file' ? entry.blocks.find((one) => one.block.blockId === newBlock.blockId) : undefined
      if (!found) continue
      assert(found.block.genstamp === oldBlock.genstamp, 'the old stamp is the one the namenode has')
      found.block.genstamp = newBlock.genstamp
      found.nodes = [...datanodes]
    }
    return {}
  }

  protected on_complete({ fileId, last }: { fileId: number; last: Block | null }): object {
    if (this.completeRefusals-- > 0) return { value: false }
    const file = this.#byId(fileId)
    if (last) this.#commit(file, last)
    file.open = false
    file.writing = false
    return { value: true }
  }

  protected on_fsync(): object {
    return {}
  }

  protected on_reportBadBlocks(): object {
    return {}
  }

  protected on_getBlockLocations({ path, offset, length }: { path: string; offset: number; length: number }): object {
    const file = this.entries.get(path)
    if (file?.kind !== 'file') throw new QuarryError('NOT_FOUND', `File does not exist: ${path}`)
    const located = file.blocks.map((_, i) => this.#located(file, i))
    const last = located.at(-1) ?? null
    return {
      blocks: {
        poolId: 'BP-fake',
        fileLength: this.#lengthOf(file),
        underConstruction: file.open,
        lastBlock: last && this.#placed(last),
        lastBlockComplete: !file.writing,
        blocks: located.filter((one) => one.offset < offset + length && one.offset + one.block!.length > offset),
      },
      file: this.#status(path),
    }
  }

  #commit(file: FakeFile, block: Block): void {
    const last = must(file.blocks.at(-1))
    assert(
      last.block.blockId === block.blockId && last.block.genstamp === block.genstamp,
      'the writer names the last block under its stamp',
    )
    last.block.length = block.length
  }

  #byId(id: number): FakeFile {
    for (const entry of this.entries.values()) if (entry.kind === 'file' && entry.id === id) return entry
    throw new QuarryError('NOT_FOUND', `no file ${id}`)
  }

  #makeParents(path: string): void {
    for (let at = parentOf(path); !this.entries.has(at); at = parentOf(at)) this.entries.set(at, { kind: 'directory', id: this.#nextId++ })
  }

  #lengthOf(file: FakeFile): number {
    const complete = file.writing ? file.blocks.slice(0, -1) : file.blocks
    return complete.reduce((sum, one) => sum + one.block.length, 0)
  }

  #status(path: string): FileStatus | null {
    const entry = this.entries.get(path)
    if (!entry) return null
    const isFile = entry.kind === 'file'
    return {
      kind: isFile ? FileKind.KIND_FILE : FileKind.KIND_DIRECTORY,
      name: '',
      length: isFile ? this.#lengthOf(entry) : 0,
      permission: isFile ? 0o644 : 0o755,
      owner: 'me',
      group: 'supergroup',
      mtimeMs: isFile ? entry.mtimeMs : 0,
      atimeMs: 0,
      replication: isFile ? entry.replication : 0,
      blockSize: isFile ? entry.blockSize : 0,
      fileId: entry.id,
      children: 0,
      storagePolicy: 0,
      underConstruction: isFile && entry.open,
      locations: null,
      flags: 0,
    }
  }

  #placed(located: LocatedBlock): LocatedBlock {
    if (this.forgottenPlaces <= 0) return located
    this.forgottenPlaces--
    return { ...located, locations: [] }
  }

  #located(file: FakeFile, index: number): LocatedBlock {
    const { block, nodes } = file.blocks[index]!
    const locations = nodes.map((uuid) => this.#location(uuid))
    return {
      block: { ...block },
      offset: file.blocks.slice(0, index).reduce((sum, one) => sum + one.block.length, 0),
      locations,
      corrupt: false,
      token: new Uint8Array(0),
      leaseFileId: file.id,
    }
  }

  #location(uuid: string): ReplicaLocation {
    return { datanode: this.node(uuid).id, storageUuid: `s-${uuid}`, storageType: StorageType.STORAGE_DISK }
  }

  /** As the real client: a call without a stream ends after its deadline, where there is a clock to tell. */
  #deadline(afterMs = 60_000): Promise<never> {
    return new Promise((_, reject) => this.clock?.after(afterMs, () => reject(new QuarryError('TIMEOUT', 'no answer in time'))))
  }

  // --- datanodes ----------------------------------------------------------------------------------------------------------

  #client(node: FakeDatanode): DatanodeClient {
    const replicaOf = (block: Init<Block> | null | undefined): Replica => {
      if (node.restarting && (node.faults.restartProbes ?? 0) > 0) {
        node.faults.restartProbes!--
        throw new QuarryError('UNAVAILABLE', `${node.id.uuid} restarts`)
      }
      node.restarting = false
      if (!node.alive) throw new QuarryError('UNAVAILABLE', `${node.id.uuid} is down`)
      const replica = node.replicas.get(block?.blockId ?? 0)
      if (!replica) throw new QuarryError('REPLICA_NOT_FOUND', `${node.id.uuid} has no block ${block?.blockId}`)
      return replica
    }
    return {
      writeBlock: (header) => this.#write(header as WriteHeader),
      readBlock: (request, options) => this.#read(node, request as ReadRequest, options?.signal) as ReturnType<DatanodeClient['readBlock']>,
      replicaInfo: async ({ block }, options) => {
        if (node.faults.silent) await Promise.race([silence(options?.signal), this.#deadline(options?.deadlineMs)])
        const replica = replicaOf(block)
        return {
          block: { blockId: block?.blockId ?? 0, genstamp: replica.genstamp, length: replica.bytes.length },
          state: replica.final ? ReplicaState.REPLICA_FINALIZED : ReplicaState.REPLICA_RBW,
          checksum: { type: ChecksumType.CHECKSUM_CRC32C, bytesPerChunk: chunk },
          dataPath: '',
          checksumPath: '',
        }
      },
      blockChecksum: async ({ block }) => {
        const replica = replicaOf(block)
        const { checksums } = replica
        return {
          checksum: { type: ChecksumType.CHECKSUM_CRC32C, bytesPerChunk: chunk },
          chunks: checksums.length / 4,
          md5: createHash('md5').update(checksums).digest(),
        }
      },
      transferBlock: async ({ block, targets }) => {
        const replica = replicaOf(block)
        for (const target of targets ?? []) {
          const to = this.node(must(target.datanode).uuid ?? '')
          if (!to.alive || to.faults.refuseCopies) throw new QuarryError('PIPELINE_FAILED', `${to.id.uuid} takes no copy`)
          to.replicas.set(block?.blockId ?? 0, { ...replica, bytes: Buffer.from(replica.bytes), checksums: Buffer.from(replica.checksums) })
        }
        return {}
      },
      initReplicaRecovery: () => notHere(),
      finishReplicaRecovery: () => notHere(),
    }
  }

  #write(header: WriteHeader): WriteStream {
    const replies: WriteReply[] = []
    let wake: (() => void) | undefined
    let over: 'ended' | 'broken' | 'silent' | undefined
    const push = (reply: Init<WriteReply>): void => {
      replies.push(reply as WriteReply)
      wake?.()
    }
    const end = (how: 'ended' | 'broken'): void => {
      if (over === undefined || over === 'silent') over = how
      wake?.()
    }
    const target = must(header.block)
    /** A silent node is noticed by the one above it; of the first, the writer has to notice by itself. */
    const stalled = (index: number): void => {
      if (index === 0 || !this.clock) return
      const { uuid } = nodes[index]!.id
      const statuses = nodes
        .slice(0, index + 1)
        .map((_, i) => (i < index ? PipelineStatus.PIPELINE_SUCCESS : PipelineStatus.PIPELINE_ERROR))
      this.clock.after(pipelinePatienceMs(header.ackTimeoutMs, nodes.length - index), () => {
        const message = `${uuid} has not answered`
        if (connected) push({ ack: { seqno: -1, statuses, message, tookMs: [] } })
        else
          push({
            setup: {
              status: PipelineStatus.PIPELINE_ERROR,
              firstBad: uuid,
              error: { code: 'TIMEOUT', message, detailsJson: '' },
              storages: [],
            },
          })
      })
    }
    let connected = false
    const nodes = [this.#firstOf(header), ...header.targets.map((location) => this.node(must(location.datanode).uuid))]
    queueMicrotask(() => {
      const bad = nodes.find((node) => !node.alive || node.restarting || node.faults.refuseSetup || node.faults.stallSetup)
      if (bad?.faults.stallSetup) return stalled(nodes.indexOf(bad))
      if (bad)
        return push({
          setup: {
            status: bad.restarting ? PipelineStatus.PIPELINE_RESTARTING : PipelineStatus.PIPELINE_ERROR,
            firstBad: bad.id.uuid,
            error: { code: 'UNAVAILABLE', message: 'it refused', detailsJson: '' },
            storages: [],
          },
        })
      for (const node of nodes) this.#setUp(node, target, header)
      connected = true
      push({
        setup: { status: PipelineStatus.PIPELINE_SUCCESS, firstBad: '', error: null, storages: nodes.map((node) => `s-${node.id.uuid}`) },
      })
    })
    const send = async (packet: Init<Packet>): Promise<void> => {
      // Copied on arrival, as a network does: the writer may use its buffer again after the ack.
      const arrived = { ...packet, data: Buffer.from(packet.data ?? []), checksums: Buffer.from(packet.checksums ?? []) }
      await Promise.resolve()
      if (over) return
      const statuses: PipelineStatus[] = []
      const bad = (status: PipelineStatus, message: string, seqno = arrived.seqno ?? 0): void => {
        push({ ack: { seqno, statuses: [...statuses, status], message, tookMs: [] } })
        end('ended')
      }
      for (const node of nodes) {
        if (node.faults.stallAfterPackets !== undefined && node.faults.stallAfterPackets-- <= 0) {
          over = 'silent'
          return stalled(nodes.indexOf(node))
        }
        if (node.faults.corruptAfterPackets !== undefined && node.faults.corruptAfterPackets-- <= 0) {
          delete node.faults.corruptAfterPackets
          return bad(PipelineStatus.PIPELINE_ERROR_CHECKSUM, '')
        }
        if (node.faults.restartAfterPackets !== undefined && node.faults.restartAfterPackets-- <= 0) {
          delete node.faults.restartAfterPackets
          node.restarting = true
          return bad(PipelineStatus.PIPELINE_RESTARTING, '', -2)
        }
        if (node.faults.dieAfterPackets !== undefined && node.faults.dieAfterPackets-- <= 0) node.alive = false
        if (!node.alive) {
          // The first node is the one the client talks to: nobody is left to answer.
          if (node === nodes[0]) return end('broken')
          statuses.push(PipelineStatus.PIPELINE_ERROR)
          push({ ack: { seqno: arrived.seqno ?? 0, statuses, message: `${node.id.uuid} is lost`, tookMs: [] } })
          return end('ended')
        }
        this.#receive(must(node.replicas.get(target.blockId)), arrived)
        statuses.push(PipelineStatus.PIPELINE_SUCCESS)
      }
      push({ ack: { seqno: arrived.seqno ?? 0, statuses, message: '', tookMs: nodes.map((node) => node.faults.tookMs ?? 0) } })
    }
    return {
      send,
      forward: async () => {},
      end: () => end('ended'),
      cancel: () => end('ended'),
      replies: {
        async *[Symbol.asyncIterator]() {
          for (;;) {
            while (replies.length > 0) yield replies.shift()!
            if (over === 'broken') throw new QuarryError('UNAVAILABLE', 'the connection was reset')
            if (over === 'ended') return
            await new Promise<void>((resolve) => (wake = resolve))
          }
        },
      },
    }
  }

  /** The fake's first hop is found by its storage, which the header names. */
  #firstOf(header: WriteHeader): FakeDatanode {
    return this.node(header.storageUuid.slice(2))
  }

  #setUp(node: FakeDatanode, block: Block, header: WriteHeader): void {
    const stamp = header.newGenstamp || block.genstamp
    const existing = node.replicas.get(block.blockId)
    switch (header.stage) {
      case WriteStage.WRITE_SETUP_CREATE:
        node.replicas.set(block.blockId, { genstamp: stamp, bytes: Buffer.alloc(0), final: false, checksums: Buffer.alloc(0) })
        return
      case WriteStage.WRITE_STREAMING_RECOVERY:
        assert(
          existing && !existing.final && existing.bytes.length >= header.minBytes && existing.bytes.length <= header.maxBytes,
          'only a replica in the making with the promised bytes goes on',
        )
        existing.genstamp = stamp
        return
      default:
        assert(existing && existing.bytes.length === header.minBytes, 'the replica has exactly the promised bytes')
        existing.genstamp = stamp
        existing.final = header.stage === WriteStage.WRITE_CLOSE_RECOVERY
    }
  }

  #receive(replica: Replica, packet: Init<Packet>): void {
    if (packet.last) {
      replica.final = true
      return
    }
    const data = Buffer.from(packet.data ?? [])
    const offset = packet.offset ?? 0
    assert(offset <= replica.bytes.length, 'a packet leaves no hole')
    if (data.length === 0) return
    if (offset % chunk === 0)
      assert(firstBadChunk(data, packet.checksums ?? new Uint8Array(0), chunk) === -1, 'a packet matches its checksums')
    else
      assert(
        data.length <= chunk - (offset % chunk) &&
          (packet.checksums ?? Buffer.alloc(0)).length === 4 &&
          crc32c(data) === Buffer.from(packet.checksums!).readUInt32BE(0),
        'a packet within a chunk has one checksum',
      )
    replica.bytes = Buffer.concat([replica.bytes.subarray(0, offset), data, replica.bytes.subarray(offset + data.length)])
    replica.checksums = chunkChecksums(replica.bytes, chunk)
  }

  async *#read(node: FakeDatanode, request: ReadRequest, signal?: AbortSignal): AsyncGenerator<Init<ReadFrame>, void, undefined> {
    await Promise.resolve()
    if (!node.alive) throw new QuarryError('UNAVAILABLE', `${node.id.uuid} is down`)
    const replica = node.replicas.get(must(request.block).blockId)
    if (!replica) throw new QuarryError('REPLICA_NOT_FOUND', `${node.id.uuid} has no such block`)
    const start = request.offset - (request.offset % chunk)
    const end = Math.min(replica.bytes.length, Math.ceil((request.offset + request.length) / chunk) * chunk)
    if (node.faults.silent) await silence(signal)
    yield {
      header: {
        checksum: { type: ChecksumType.CHECKSUM_CRC32C, bytesPerChunk: chunk },
        chunkOffset: start,
        visibleLength: replica.bytes.length,
      },
    }
    let seqno = 0
    for (let at = start; at < end; at += 2 * chunk) {
      if (node.faults.dieAfterReadBytes !== undefined && at - start >= node.faults.dieAfterReadBytes) {
        node.alive = false
        throw new QuarryError('UNAVAILABLE', 'the connection was reset')
      }
      if (node.faults.stallAfterReadBytes !== undefined && at - start >= node.faults.stallAfterReadBytes) await silence(signal)
      const to = Math.min(end, at + 2 * chunk)
      const checksums = replica.checksums.subarray((at / chunk) * 4, Math.ceil(to / chunk) * 4)
      yield {
        packet: { seqno: seqno++, offset: at, data: Buffer.from(replica.bytes.subarray(at, to)), checksums, last: false, sync: false },
      }
      await Promise.resolve()
    }
    yield { packet: { seqno, offset: end, data: new Uint8Array(0), checksums: new Uint8Array(0), last: true, sync: false } }
  }
}
