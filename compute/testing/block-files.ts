// Datanodes for the tests of compute: blocks as plain files in a temporary directory, fragments run in this process. No sockets,
// no checksums; everything else is the real thing.
import { copyFile, link, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { must } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import { systemEnv } from '../../common/system-env.ts'
import { codec } from '../../proto/codec.ts'
import type { Block, DatanodeId, FragmentDone, LocalReplicas, LocatedBlock } from '../../proto/ports.ts'
import { runFragment, type FragmentContext } from '../agent/fragment.ts'
import { ExecutorPool, type PooledEngine } from '../agent/pool.ts'
import type { RemoteBlocks } from '../agent/remote-blocks.ts'
import { openEngine } from '../executor/engine.ts'
import { runQuery, type QueryDeps, type QueryOptions, type QueryResult } from '../exec/query.ts'
import type { LocatedFile, TableFiles } from '../exec/source.ts'
import type { EngineOptions } from '../executor/protocol.ts'
import { Gate } from '../gate.ts'
import type { FragmentRunner } from '../service/fragment-client.ts'

const poolId = 'BP-1-127.0.0.1-1'

/** An engine in this process. */
export async function inProcessEngine(options: EngineOptions): Promise<PooledEngine> {
  const engine = await openEngine(options)
  let alive = true
  return {
    run: (sql) => engine.run(sql),
    text: (sql, parameters) => engine.text(sql, parameters),
    start: (sql) => engine.start(sql),
    next: () => engine.next(),
    interrupt: () => engine.interrupt(),
    get alive() {
      return alive
    },
    pid: 0,
    kill() {
      alive = false
    },
    async close() {
      alive = false
      await engine.close()
    },
  }
}

export interface BlockFilesOptions {
  readonly nodes?: number
  readonly replication?: number
  readonly blockSize?: number
  readonly startEngine?: (options: EngineOptions) => Promise<PooledEngine>
}

export class BlockFiles {
  readonly dir: string
  readonly #options: Required<BlockFilesOptions>
  readonly #nodes: { readonly id: DatanodeId; readonly context: FragmentContext }[] = []
  readonly #files = new Map<string, LocatedFile>()
  #nextBlock = 2 ** 30
  /** Called before a fragment runs; may throw to make the attempt fail. */
  beforeFragment: (node: DatanodeId, fragment: number, attempt: number) => Promise<void> | void = () => {}
  /** Bytes that went from node to node. */
  remoteBytes = 0

  private constructor(dir: string, options: Required<BlockFilesOptions>) {
    this.dir = dir
    this.#options = options
  }

  static async start(options: BlockFilesOptions = {}): Promise<BlockFiles> {
    const dir = await mkdtemp(path.join(tmpdir(), 'quarry-compute-'))
    const files = new BlockFiles(dir, { nodes: 3, replication: 2, blockSize: 64 * 1024, startEngine: inProcessEngine, ...options })
    for (let i = 0; i < files.#options.nodes; i++) await files.#addNode(i)
    return files
  }

  get nodes(): readonly DatanodeId[] {
    return this.#nodes.map((node) => node.id)
  }

  pool(index: number): ExecutorPool {
    return must(this.#nodes[index]).context.pool
  }

  /** Stores a file of this machine, cut into blocks. */
  async put(local: string, target: string, blockSize = this.#options.blockSize): Promise<LocatedFile> {
    const bytes = await readFile(local)
    const blocks: LocatedBlock[] = []
    for (let offset = 0; offset < bytes.length; offset += blockSize) {
      const block: Block = { blockId: ++this.#nextBlock, genstamp: 1001, length: Math.min(blockSize, bytes.length - offset) }
      const holders = Array.from({ length: this.#options.replication }, (_, i) =>
        must(this.#nodes[(blocks.length + i) % this.#nodes.length]),
      )
      for (const holder of holders) await writeFile(this.#blockFile(holder.id, block), bytes.subarray(offset, offset + block.length))
      blocks.push({
        block,
        offset,
        corrupt: false,
        token: new Uint8Array(0),
        leaseFileId: 0,
        locations: holders.map((holder) => ({ datanode: holder.id, storageUuid: holder.id.uuid, storageType: 1 })),
      })
    }
    const file: LocatedFile = { path: target, fileId: 16386 + this.#files.size, length: bytes.length, poolId, blocks }
    this.#files.set(target, file)
    return file
  }

  async query(sql: string, options: QueryOptions & { readonly startEngine?: QueryDeps['startEngine'] } = {}): Promise<QueryResult> {
    return runQuery(
      { files: this.#tableFiles(), runner: this.#runner(), startEngine: options.startEngine ?? inProcessEngine, env: systemEnv() },
      sql,
      options,
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.context.pool.close()))
    await rm(this.dir, { recursive: true, force: true })
  }

  #blockFile(node: DatanodeId, block: Block): string {
    return path.join(this.dir, node.uuid, `blk_${block.blockId}`)
  }

  async #addNode(index: number): Promise<void> {
    const id: DatanodeId = {
      uuid: `node-${index}`,
      ip: '127.0.0.1',
      hostname: `node-${index}`,
      grpcPort: 9868 + index,
      transferPort: 0,
      httpPort: 0,
      ipcPort: 0,
      rack: '/default-rack',
      hostId: 'here',
      httpAddress: '',
    }
    const dir = path.join(this.dir, id.uuid)
    const scratchDir = path.join(dir, 'scratch')
    const outDir = path.join(dir, 'results')
    await mkdir(scratchDir, { recursive: true })
    await mkdir(outDir)
    const local: LocalReplicas = {
      link: async (block, target) => {
        await link(this.#blockFile(id, block), target).catch(() => copyFile(this.#blockFile(id, block), target))
        return { length: block.length, verifyUs: 0 }
      },
      read: (block, offset, length) => readPart(this.#blockFile(id, block), offset, length),
      scratchDir,
      poolId,
      datanodeUuid: id.uuid,
    }
    const env = systemEnv()
    const pool = await ExecutorPool.open({
      dir: path.join(scratchDir, 'compute'),
      executors: 1,
      threads: 1,
      memoryLimit: 256 * 1024 * 1024,
      start: this.#options.startEngine,
      env,
    })
    this.#nodes.push({ id, context: { pool, gate: new Gate(2, 100), local, remote: this.#remote(), outDir, env } })
  }

  #remote(): RemoteBlocks {
    const count = (bytes: number) => (this.remoteBytes += bytes)
    const nameOf = (node: DatanodeId, block: Block) => this.#blockFile(node, block)
    return {
      async *read(node, _poolId, block, offset, length) {
        for await (const part of readPart(nameOf(node, block), offset, length)) {
          count(part.length)
          yield part
        }
      },
      close: () => Promise.resolve(),
    }
  }

  #tableFiles(): TableFiles {
    return {
      resolve: (name) => (name.startsWith('/') ? name : `/user/test/${name}`),
      locate: (name) => {
        const file = this.#files.get(name)
        return file === undefined ? Promise.reject(new QuarryError('NOT_FOUND', `File does not exist: ${name}`)) : Promise.resolve(file)
      },
      read: async (file, start, length) => {
        const bytes = Buffer.alloc(length)
        for (const block of file.blocks) {
          const from = Math.max(start, block.offset)
          const end = Math.min(start + length, block.offset + must(block.block).length)
          if (end <= from) continue
          for await (const part of readPart(
            this.#blockFile(must(block.locations[0]?.datanode), must(block.block)),
            from - block.offset,
            end - from,
          ))
            bytes.set(part, from - start)
        }
        return bytes
      },
    }
  }

  #runner(): FragmentRunner {
    const request = codec('FragmentRequest')
    return {
      run: async (node, fragment, write, signal): Promise<FragmentDone> => {
        // Over the wire and back, as the real one.
        const decoded = request.decode(request.encode(fragment))
        const { context } = must(this.#nodes.find((one) => one.id.uuid === node.uuid))
        await this.beforeFragment(node, decoded.fragment, decoded.attempt)
        const result = await runFragment(decoded, context, signal)
        await write(await readFile(result.file))
        await rm(result.file)
        return {
          rows: result.rows,
          bytesLocal: result.bytesLocal,
          bytesRemote: result.bytesRemote,
          verifyUs: result.verifyUs,
          runUs: result.runUs,
          nodeUuid: node.uuid,
        }
      },
      close: () => Promise.resolve(),
    }
  }
}

async function* readPart(name: string, offset: number, length: number): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(name)
  try {
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await file.read(buffer, 0, length, offset)
    yield buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
