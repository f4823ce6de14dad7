// The session with the namenode: one stream, opened by this node, kept open for ever.
//
//   up    register, heartbeats, full reports in parts, changes at once, bad replicas, goodbye
//   down  registered or refused, commands
//
// A change is written to the stream when it happens: a finalised replica is reported before its last packet is acknowledged, which
// is what lets a writer's complete() find it. While the stream is down changes need no queue: a new session begins with full
// reports, which say everything.
import type { Env } from '../../common/env.ts'
import { isErrorCode, QuarryError } from '../../common/errors.ts'
import { reportPartMax } from '../../common/limits.ts'
import { ReceivedKind } from '../../proto/ports.ts'
import type {
  BadReplica,
  Block,
  DatanodeId,
  Init,
  NameMessage,
  NodeMessage,
  ReceivedBlock,
  RecoverCommand,
  ReplicateCommand,
  StorageReport,
} from '../../proto/ports.ts'
import { grpcNodeChannel } from '../../proto/transport/node-session.ts'
import type { NodeChannel, NodeStream } from '../../proto/transport/node-session.ts'
import { errorOf } from '../../proto/transport/status.ts'
import { protocolVersion } from '../../proto/version.ts'
import type { ReplicaRecord, ReplicaStore } from '../store/replica-store.ts'
import type { StorageDirectory } from '../store/storage-directory.ts'
import type { DatanodeMetrics } from '../service/metrics.ts'

export interface SessionDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly metrics: DatanodeMetrics
  /** Datanodes that this one finds slow in pipelines. */
  readonly slowPeers?: () => readonly { readonly uuid: string; readonly latencyMs: number }[]
  /** host:port of the namenode's gRPC door. */
  readonly namenode: string
  /** What streams are opened on; default gRPC to `namenode`. */
  readonly channel?: NodeChannel | undefined
  readonly datanode: Init<DatanodeId>
  readonly heartbeatMs: number
  readonly reportMs: number
  readonly softwareVersion: string
  readonly commands: {
    replicate(command: ReplicateCommand): void
    invalidate(blocks: readonly Block[]): void
    recover(command: RecoverCommand): void
    /** Bytes a second that moves of the balancer may send from now on. */
    bandwidth?(bytesPerSecond: number): void
  }
}

/** How the first registration went; `refused` ends the session for good. */
export type SessionOutcome = { readonly kind: 'registered' } | { readonly kind: 'refused'; readonly error: QuarryError }

/** Waits between attempts: from 100 ms, doubled up to 5 s, with jitter so that a restarted namenode is not met by all at once. */
const backoffMinMs = 100
const backoffMaxMs = 5_000
/** A stream on which the namenode stays silent for this many heartbeats is given up: it answers each one. */
const silentHeartbeatsMax = 5
const silentMinMs = 15_000
/** Bad replicas remembered until there is a session. */
const badUntoldMax = 1_000

export class NamenodeSession {
  readonly #deps: SessionDeps
  readonly #channel: NodeChannel
  readonly #stopped = new AbortController()
  readonly #startedMs: number
  #stream: NodeStream | undefined
  #registered = false
  #reportId = 0
  /** Bad replicas found while there was no session. */
  readonly #badUntold: Init<BadReplica>[] = []
  #running: Promise<void> | undefined
  #settleOutcome!: (outcome: SessionOutcome) => void
  #lastHeardMs = 0
  #state: 'connecting' | 'registered' | 'refused' | 'closed' = 'connecting'
  /** Settles at the first registration or at a refusal, whenever it comes. */
  readonly outcome: Promise<SessionOutcome>
  #onRefused: (error: QuarryError) => void = () => {}

  constructor(deps: SessionDeps) {
    this.#deps = deps
    this.#startedMs = deps.env.clock.nowMs()
    this.outcome = new Promise((resolve) => (this.#settleOutcome = resolve))
    this.#channel = deps.channel ?? grpcNodeChannel(deps.namenode)
    deps.store.listen({
      received: (replica) => this.#changed(replica, ReceivedKind.RECEIVED),
      receiving: (replica) => this.#changed(replica, ReceivedKind.RECEIVING),
      deleted: (replica) => this.#changed(replica, ReceivedKind.DELETED),
    })
  }

  get state(): 'connecting' | 'registered' | 'refused' | 'closed' {
    return this.#state
  }

  /** Called at a refusal that comes after the first registration. */
  onRefused(callback: (error: QuarryError) => void): void {
    this.#onRefused = callback
  }

  start(): void {
    this.#running ??= this.#run()
  }

  reportBad(block: Block, storageUuid: string, reason: string): void {
    this.#deps.env.log.error('replica.bad', { blockId: block.blockId, storageUuid, reason })
    const replicas = [{ storageUuid, block, reason }]
    // Damage that nobody asked about is not found again for weeks: the next session hears of it.
    if (!this.#registered && this.#badUntold.length < badUntoldMax) this.#badUntold.push(...replicas)
    else this.#send({ badReplicas: { replicas } })
  }

  send(message: Init<NodeMessage>): void {
    this.#send(message)
  }

  /** A heartbeat out of turn, for what the namenode should know at once. */
  heartbeatNow(): void {
    const { metrics, store } = this.#deps
    const storages = this.#storageReports()
    const nonDfsUsed = store.storages.reduce((sum, storage) => sum + storage.space().nonDfsUsed, 0)
    const slowPeers = [...(this.#deps.slowPeers?.() ?? [])]
    const xceivers = metrics.readers + metrics.writers
    this.#send({ heartbeat: { storages, xceivers, transfers: metrics.transfers, nonDfsUsed, slowPeers } })
  }

  /** Full reports of all storages, now. */
  reportNow(): void {
    this.#reportAll()
  }

  /** Tells the namenode that this node stops. */
  goodbye(reason: string): void {
    this.#send({ goodbye: { reason } })
  }

  async close(): Promise<void> {
    if (this.#state !== 'refused') this.#state = 'closed'
    this.#stopped.abort(new QuarryError('CLOSED', 'The datanode stops.'))
    this.#stream?.end()
    this.#stream?.cancel()
    await this.#running
    this.#channel.close()
  }

  async #run(): Promise<void> {
    const { env } = this.#deps
    let backoffMs = backoffMinMs
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#session(() => (backoffMs = backoffMinMs))
      } catch (thrown) {
        if (this.#stopped.signal.aborted) return
        if (this.#state === 'refused') return
        env.log.warn('session.lost', { namenode: this.#deps.namenode, message: (thrown as Error).message, retryMs: backoffMs })
      }
      this.#registered = false
      if (this.#state === 'registered') this.#state = 'connecting'
      try {
        await env.clock.sleep(backoffMs * (0.5 + env.random.float()), this.#stopped.signal)
      } catch {
        return
      }
      backoffMs = Math.min(backoffMaxMs, backoffMs * 2)
    }
  }

  /** One stream, from registration to its end. */
  async #session(onRegistered: () => void): Promise<void> {
    const { env, store } = this.#deps
    const stream = this.#channel.open()
    this.#stream = stream
    this.#lastHeardMs = env.clock.monotonicMs()
    const ended = new AbortController()
    try {
      stream.write({ register: this.#register() })
      void this.#watch(stream, ended.signal)
      for await (const message of stream.messages) {
        this.#lastHeardMs = env.clock.monotonicMs()
        if (message.registered) {
          const { clusterId, poolId, syncOnClose, heartbeatIntervalMs } = message.registered
          await store.bind(clusterId, poolId)
          store.setSync(syncOnClose)
          this.#registered = true
          this.#state = 'registered'
          onRegistered()
          env.log.info('session.registered', { namenode: this.#deps.namenode, clusterId, poolId })
          this.#reportAll()
          const bad = this.#badUntold.splice(0)
          if (bad.length > 0) this.#send({ badReplicas: { replicas: bad } })
          this.#settleOutcome({ kind: 'registered' })
          void this.#heartbeats(heartbeatIntervalMs || this.#deps.heartbeatMs, ended.signal)
          void this.#reports(ended.signal)
        } else this.#obey(message)
      }
      throw new QuarryError('UNAVAILABLE', 'the namenode ended the session')
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.code === 'WRONG_CLUSTER' || error.code === 'VERSION') this.#refused(error)
      throw error
    } finally {
      ended.abort()
      this.#stream = undefined
      stream.cancel()
    }
  }

  #register(): NonNullable<Init<NodeMessage>['register']> {
    const { store, datanode, softwareVersion } = this.#deps
    return {
      protocol: protocolVersion,
      datanode,
      poolId: store.poolId,
      clusterId: store.clusterId,
      softwareVersion,
      storages: this.#storageReports(),
      startedMs: this.#startedMs,
    }
  }

  #obey(message: NameMessage): void {
    const { commands } = this.#deps
    if (message.replicate) commands.replicate(message.replicate)
    else if (message.invalidate) commands.invalidate(message.invalidate.blocks)
    else if (message.recover) commands.recover(message.recover)
    else if (message.bandwidth) commands.bandwidth?.(message.bandwidth.balancingBytes)
    else if (message.sendReport) this.#reportAll()
    else if (message.heartbeat) {
      if (message.heartbeat.staleStorages) this.#reportAll()
    } else if (message.refused) {
      const { code, message: text } = message.refused.error ?? { code: 'UNAVAILABLE', message: 'no reason given' }
      throw this.#refused(new QuarryError(isErrorCode(code) ? code : 'UNAVAILABLE', text))
    }
  }

  #refused(error: QuarryError): QuarryError {
    this.#state = 'refused'
    const first = { kind: 'refused', error } as const
    this.#settleOutcome(first)
    this.#deps.env.log.error('session.refused', { namenode: this.#deps.namenode, code: error.code, message: error.message })
    this.#onRefused(error)
    return error
  }

  async #heartbeats(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.heartbeatNow()
      await this.#deps.env.clock.sleep(everyMs, signal).catch(() => {})
    }
  }

  async #reports(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.env.clock.sleep(this.#deps.reportMs, signal).catch(() => {})
      if (!signal.aborted) this.#reportAll()
    }
  }

  /** Gives a stream up on which nothing comes back: a namenode that hangs keeps its sockets open. */
  async #watch(stream: NodeStream, signal: AbortSignal): Promise<void> {
    const { env, heartbeatMs } = this.#deps
    const silentMs = Math.max(silentMinMs, heartbeatMs * silentHeartbeatsMax)
    while (!signal.aborted) {
      await env.clock.sleep(silentMs / 3, signal).catch(() => {})
      // Timers fire before sockets are read: look again after the messages that wait have been taken.
      await new Promise((resolve) => setImmediate(resolve))
      if (!signal.aborted && env.clock.monotonicMs() - this.#lastHeardMs > silentMs) stream.cancel()
    }
  }

  #storageReports(): Init<StorageReport>[] {
    return this.#deps.store.storages.map((storage) => {
      const { capacity, remaining } = storage.space()
      return {
        storageUuid: storage.uuid,
        type: storage.type,
        capacity,
        dfsUsed: storage.used,
        remaining,
        blocks: storage.finalized,
        failed: storage.failed,
        failure: storage.failure,
      }
    })
  }

  #reportAll(): void {
    this.#reportId = Math.max(this.#reportId + 1, this.#deps.env.clock.nowMs())
    for (const storage of this.#deps.store.storages) this.#report(storage, this.#reportId)
  }

  #report(storage: StorageDirectory, reportId: number): void {
    const replicas = this.#deps.store.list(storage)
    const parts = Math.max(1, Math.ceil(replicas.length / reportPartMax))
    for (let part = 0; part < parts; part++) {
      const some = replicas.slice(part * reportPartMax, (part + 1) * reportPartMax)
      this.#send({
        blockReport: {
          storageUuid: storage.uuid,
          reportId,
          part,
          parts,
          blockIds: some.map((replica) => replica.blockId),
          genstamps: some.map((replica) => replica.genstamp),
          lengths: some.map((replica) => replica.length),
          states: some.map((replica) => this.#deps.store.reportedState(replica)),
        },
      })
    }
  }

  #changed(replica: ReplicaRecord, kind: ReceivedKind): void {
    const block: ReceivedBlock = {
      storageUuid: replica.storage.uuid,
      block: { blockId: replica.blockId, genstamp: replica.genstamp, length: replica.length },
      kind,
    }
    this.#send({ received: { blocks: [block] } })
  }

  #send(message: Init<NodeMessage>): void {
    if (!this.#registered || this.#stream === undefined || this.#stream.over) return
    this.#stream.write(message)
  }
}
