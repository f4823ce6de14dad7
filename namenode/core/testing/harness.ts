// An engine over a store with a fake cluster and a clock that stands still, and calls in one line.
import { SeededRandom } from '../../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../../common/testing/virtual-clock.ts'
import { silentLogger } from '../../../common/env.ts'
import { options } from '../../../common/options.ts'
import type { Settings } from '../../../common/options.ts'
import type { QuarryError } from '../../../common/errors.ts'
import type { CallContext, FileStatus, LocatedBlock, Method, ReplyOf, Request } from '../../../proto/ports.ts'
import { Engine } from '../engine.ts'
import type { NamespaceStore } from '../model.ts'
import { FakeCluster } from './fake-cluster.ts'
import { MemoryStore } from './memory-store.ts'

export const testSettings: Settings = Object.fromEntries(
  Object.entries(options).map(([name, spec]) => [name, spec.default]),
) as unknown as Settings

const defaults: { readonly [M in Method]?: object } = {
  mkdirs: { permission: 0o755, createParent: true, hasUnmasked: false, unmasked: 0 },
  create: {
    permission: 0o644,
    holder: 'writer',
    overwrite: false,
    createParent: true,
    replication: 3,
    blockSize: 1 << 20,
    storagePolicy: '',
    hasUnmasked: false,
    unmasked: 0,
  },
  append: { holder: 'writer', newBlock: false },
  addBlock: { fileId: 0, holder: 'writer', previous: null, excluded: [], favored: [] },
  abandonBlock: { fileId: 0, holder: 'writer', block: null },
  complete: { fileId: 0, holder: 'writer', last: null },
  fsync: { fileId: 0, holder: 'writer', lastBlockLength: -1 },
  updateBlockForPipeline: { holder: 'writer' },
  updatePipeline: { holder: 'writer', datanodes: [], storages: [] },
  additionalDatanode: { fileId: 0, holder: 'writer', existing: [], excluded: [], wanted: 1 },
  recoverLease: { holder: 'rescuer' },
  truncate: { holder: 'writer', tailPath: '', tailOfBlock: 0 },
  rename2: { overwrite: false, toTrash: false },
  delete: { recursive: true },
  setOwner: { owner: '', group: '' },
  setTimes: { mtimeMs: -1, atimeMs: -1 },
  setQuota: { names: -2, space: -2, type: 0 },
  setXAttr: { flag: 3 },
  getXAttrs: { xattrs: [] },
  snapshot: { name: '', other: '' },
  getFileInfo: { needLocations: false },
  getListing: { startAfter: '', needLocations: false, limit: 0 },
  getBlockLocations: { offset: 0, length: Number.MAX_SAFE_INTEGER },
  listOpenFiles: { afterFileId: 0, path: '', blockingDecommission: false, limit: 0 },
  getEdits: { afterTxid: 0, limit: 0 },
}

export interface Who {
  readonly user?: string
  readonly groups?: readonly string[]
  readonly clientId?: string
  readonly callId?: number
  readonly retryCount?: number
}

export class Harness {
  readonly clock = new VirtualClock()
  readonly cluster: FakeCluster
  readonly store: NamespaceStore
  readonly settings: Settings
  readonly #removeAtOnceMax: number | undefined
  readonly #onFailure: (error: QuarryError) => void
  engine: Engine

  constructor(
    given: {
      readonly store?: NamespaceStore
      readonly settings?: Partial<Settings>
      readonly datanodes?: number
      readonly removeAtOnceMax?: number
      readonly onFailure?: (error: QuarryError) => void
    } = {},
  ) {
    this.store = given.store ?? new MemoryStore()
    this.settings = { ...testSettings, ...given.settings }
    this.cluster = new FakeCluster(given.datanodes)
    this.#removeAtOnceMax = given.removeAtOnceMax
    this.#onFailure = given.onFailure ?? (() => {})
    this.engine = this.newEngine()
  }

  newEngine(): Engine {
    return new Engine({
      store: this.store,
      cluster: this.cluster,
      env: { clock: this.clock, random: new SeededRandom(1), log: silentLogger },
      settings: {
        settings: this.settings,
        superuser: 'root',
        poolId: 'BP-test',
        ...(this.#removeAtOnceMax === undefined ? {} : { removeAtOnceMax: this.#removeAtOnceMax }),
      },
      defer: (callback) => void setImmediate(callback),
      onFailure: this.#onFailure,
    })
  }

  /** One call; what the request leaves out takes a default that suits most tests. */
  call<M extends Method>(method: M, request: Partial<Request<M>>, who: Who = {}): Promise<ReplyOf<M>> {
    const context: CallContext = {
      user: who.user ?? 'root',
      groups: who.groups ?? [],
      realUser: '',
      remoteAddress: '127.0.0.1',
      clientId: who.clientId ?? '',
      callId: who.callId ?? 0,
      retryCount: who.retryCount ?? 0,
      callerContext: '',
    }
    return this.engine.submit(context, method, { ...defaults[method], ...request } as Request<M>) as Promise<ReplyOf<M>>
  }

  /** The error of a call that must fail. */
  async fails<M extends Method>(method: M, request: Partial<Request<M>>, who: Who = {}): Promise<QuarryError> {
    try {
      await this.call(method, request, who)
    } catch (error) {
      return error as QuarryError
    }
    throw new Error(`${method} ${JSON.stringify(request)} did not fail`)
  }

  async stat(path: string, who: Who = {}): Promise<FileStatus | null> {
    return (await this.call('getFileInfo', { path }, who)).file
  }

  async names(path: string): Promise<string[]> {
    const page = await this.call('getListing', { path })
    const names: string[] = []
    let at = 0
    for (const length of page.nameLengths) {
      names.push(new TextDecoder().decode(page.names.subarray(at, at + length)))
      at += length
    }
    return names
  }

  /** Writes a closed file whose blocks have these lengths. */
  async write(path: string, lengths: readonly number[] = [], request: Partial<Request<'create'>> = {}, who: Who = {}): Promise<FileStatus> {
    const file = (await this.call('create', { path, ...request }, who)).file!
    const holder = request.holder ?? 'writer'
    let previous: LocatedBlock['block'] = null
    for (const length of lengths) {
      const added: LocatedBlock = (await this.call('addBlock', { path, fileId: file.fileId, holder, previous }, who)).block!
      previous = { ...added.block!, length }
    }
    await this.call('complete', { path, fileId: file.fileId, holder, last: previous }, who)
    return (await this.stat(path))!
  }
}
