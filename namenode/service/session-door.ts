// The door for datanodes: DatanodeSession.Session, opened by each datanode and kept open. Messages are worked off strictly in
// order, block reports in steps between other work; commands go down the moment they are decided.
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { isQuarryError, QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Clock, Logger } from '../../common/env.ts'
import { serviceDefinition } from '../../proto/codec.ts'
import type { Init } from '../../proto/codec.ts'
import type { DatanodeId, NameMessage, NodeMessage, RecoveryResult, Register } from '../../proto/ports.ts'
import { protocolVersion } from '../../proto/version.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { Datanode, NodeLink } from '../core/cluster/datanode.ts'
import type { Door } from './client-door.ts'

/** Messages of one datanode that may wait; above, its stream is not read. A full report part is one message. */
const waitingMax = 32
/**
 * What may wait for a datanode that does not read: commands, and the replicas that they name, some 100 bytes of memory each. A
 * datanode that reads gets a thousandth of it at a time; one that does not loses its session, and hears everything that is still
 * true after the full reports of its next one.
 */
export const unreadMax = 200_000
/** Replicas of a report worked off before others get their turn: 2 to 5 ms. */
const replicasPerStep = 500

const joinAttemptsMax = 4
const joinPauseMaxMs = 1_000

export interface SessionDoorDeps {
  readonly cluster: BlockManager
  readonly clusterId: string
  readonly poolId: string
  readonly heartbeatIntervalMs: number
  readonly syncOnClose: boolean
  readonly clock: Clock
  readonly log: Logger
  /** The rack that the cluster's topology gives a datanode; undefined = the one that it names itself. */
  readonly rackOf?: (datanode: DatanodeId) => Promise<string | undefined>
  /** A block recovery ended well. */
  readonly recovered: (recovery: { readonly blockId: number; readonly genstamp: number; readonly length: number }) => void
  /** A block recovery ended badly. */
  readonly recoveryFailed: (failed: { readonly blockId: number; readonly genstamp: number }) => void
}

type Stream = ServerDuplexStream<NodeMessage, Init<NameMessage>>

export function sessionDoor(deps: SessionDoorDeps): Door {
  return { definition: serviceDefinition('DatanodeSession'), handlers: { session: (stream: Stream) => new NodeSession(stream, deps) } }
}

type Phase = { readonly kind: 'registering' } | { readonly kind: 'serving'; readonly node: Datanode } | { readonly kind: 'closed' }

class NodeSession implements NodeLink {
  readonly #stream: Stream
  readonly #deps: SessionDoorDeps
  readonly #waiting: NodeMessage[] = []
  #phase: Phase = { kind: 'registering' }
  #working = false
  #paused = false
  /** The datanode said that it stops: it is expected back. */
  #goodbye = false
  /** Commands and replicas sent since the stream was full. */
  #unread = 0

  constructor(stream: Stream, deps: SessionDoorDeps) {
    this.#stream = stream
    this.#deps = deps
    stream.on('data', (message: NodeMessage) => this.#received(message))
    stream.on('end', () => this.close('the datanode ended its session'))
    stream.on('cancelled', () => this.close('the connection broke'))
    stream.on('error', () => this.close('the connection broke'))
    stream.on('close', () => this.close('the connection closed'))
    stream.on('drain', () => {
      if (this.#unread <= unreadMax) this.#unread = 0
    })
  }

  // --- NodeLink ---------------------------------------------------------------------------------------------------------------

  send(message: Init<NameMessage>): void {
    if (this.#phase.kind === 'closed' || this.#unread > unreadMax) return
    if (this.#stream.write(message)) this.#unread = 0
    else this.#unread += 1 + (message.invalidate?.blocks?.length ?? 0)
    // Later in this turn: whoever sends is in the middle of a decision that the node is part of.
    if (this.#unread > unreadMax) queueMicrotask(() => this.#cutOff())
  }

  /** Idempotent. The node is stale from now on. */
  close(reason: string): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#phase = { kind: 'closed' }
    this.#waiting.length = 0
    this.#stream.end()
    if (phase.kind !== 'serving') return
    this.#deps.cluster.disconnected(phase.node, this, this.#goodbye)
    this.#deps.log.warn('datanode.disconnected', { uuid: phase.node.id.uuid, reason })
  }

  /** Lets go of what waits, too: a stream that is not read would keep it for as long as the connection stands. */
  #cutOff(): void {
    if (this.#phase.kind === 'closed') return
    this.close(`it did not read its commands: more than ${unreadMax} were waiting`)
    this.#stream.destroy()
  }

  // --- messages ---------------------------------------------------------------------------------------------------------------

  #received(message: NodeMessage): void {
    if (this.#phase.kind === 'closed') return
    if (this.#phase.kind === 'serving') this.#deps.cluster.contact(this.#phase.node)
    this.#waiting.push(message)
    this.#pauseIfNeeded()
    if (!this.#working) void this.#work()
  }

  /** One at a time: an event must not overtake the report before it. */
  async #work(): Promise<void> {
    this.#working = true
    try {
      for (let message = this.#waiting.shift(); message; message = this.#waiting.shift()) {
        this.#pauseIfNeeded()
        await this.#handle(message)
      }
    } catch (error) {
      this.#refuse(toQuarryError(error))
    } finally {
      this.#working = false
    }
  }

  #handle(message: NodeMessage): Promise<void> | undefined {
    const phase = this.#phase
    if (phase.kind === 'closed') return undefined
    if (phase.kind === 'registering') {
      if (!message.register) throw new QuarryError('VERSION', 'The first message of a datanode must register it.')
      return this.#register(message.register)
    }
    const { cluster } = this.#deps
    switch (message.body) {
      case 'heartbeat':
        this.send({ heartbeat: cluster.heartbeat(phase.node, message.heartbeat!) })
        return undefined
      case 'received':
        cluster.received(phase.node, message.received!.blocks)
        return undefined
      case 'blockReport':
        return this.#inSteps(phase.node, cluster.fullReport(phase.node, message.blockReport!))
      case 'badReplicas':
        cluster.badReplicas(phase.node, message.badReplicas!.replicas)
        return undefined
      case 'recoveryResult':
        this.#recovered(message.recoveryResult!)
        return undefined
      case 'goodbye':
        this.#goodbye = true
        this.close(message.goodbye!.reason || 'the datanode is stopping')
        return undefined
      case 'register':
        throw new QuarryError('INVALID_ARGUMENT', 'A datanode registered twice on one stream.')
      case undefined:
        return undefined
      default:
        return message.body satisfies never
    }
  }

  async #register(register: Register): Promise<void> {
    const { clusterId, poolId, heartbeatIntervalMs, syncOnClose, log } = this.#deps
    if (register.protocol !== protocolVersion) {
      throw new QuarryError(
        'VERSION',
        `This namenode speaks version ${protocolVersion} of the protocol, the datanode version ${register.protocol}. Use the same release on both sides.`,
      )
    }
    checkSame('cluster', register.clusterId, clusterId)
    checkSame('block pool', register.poolId, poolId)
    // Commands are sent by a later turn of the event loop: the answer stays the first message.
    const node = await this.#join(await this.#placed(register))
    if (!node) return
    this.#phase = { kind: 'serving', node }
    this.send({ registered: { poolId, clusterId, heartbeatIntervalMs, syncOnClose } })
    log.info('datanode.registered', { uuid: node.id.uuid, address: `${node.id.ip}:${node.id.grpcPort}`, storages: node.storages.length })
  }

  async #placed(register: Register): Promise<Register> {
    const { datanode } = register
    const rack = datanode ? await this.#deps.rackOf?.(datanode) : undefined
    return datanode && rack !== undefined ? { ...register, datanode: { ...datanode, rack } } : register
  }

  /**
   * A datanode that was killed and started again may be faster than the news that its old connection broke. So a uuid that seems
   * to be connected already gets a few heartbeats' time before the newcomer is refused.
   */
  async #join(register: Register): Promise<Datanode | undefined> {
    const { cluster, clock, heartbeatIntervalMs } = this.#deps
    for (let attempt = 1; this.#phase.kind === 'registering'; attempt++) {
      try {
        return cluster.register(register, this)
      } catch (error) {
        if (!isQuarryError(error, 'IN_USE') || attempt >= joinAttemptsMax) throw error
      }
      await clock.sleep(Math.min(heartbeatIntervalMs, joinPauseMaxMs))
    }
    return undefined
  }

  async #inSteps(node: Datanode, job: { step(limit: number): boolean }): Promise<void> {
    while (this.#phase.kind === 'serving' && !job.step(replicasPerStep)) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      this.#deps.cluster.contact(node)
    }
  }

  #recovered(result: RecoveryResult): void {
    const { block, recoveryId, newLength, error, locations } = result
    if (!block) return
    if (error) {
      this.#deps.log.warn('block.recovery.failed', { blockId: block.blockId, recoveryId, code: error.code, message: error.message })
      this.#deps.recoveryFailed({ blockId: block.blockId, genstamp: recoveryId })
      return
    }
    this.#deps.log.info('block.recovered', { blockId: block.blockId, genstamp: recoveryId, length: newLength, replicas: locations.length })
    this.#deps.recovered({ blockId: block.blockId, genstamp: recoveryId, length: newLength })
  }

  #refuse(error: QuarryError): void {
    this.send({ refused: { error: { code: error.code, message: error.message } } })
    this.#deps.log.warn('datanode.refused', { peer: this.#stream.getPeer(), code: error.code, message: error.message })
    this.close(error.message)
  }

  #pauseIfNeeded(): void {
    const pause = this.#waiting.length >= waitingMax
    if (pause === this.#paused) return
    this.#paused = pause
    if (pause) this.#stream.pause()
    else this.#stream.resume()
  }
}

/** A datanode without an id is new and takes ours; one with another id belongs elsewhere. */
function checkSame(what: string, theirs: string, ours: string): void {
  if (theirs === '' || theirs === ours) return
  throw new QuarryError(
    'WRONG_CLUSTER',
    `The datanode belongs to ${what} ${theirs}, this namenode to ${ours}. Check its setting 'namenode', or give it an empty directory.`,
    { theirs, ours },
  )
}
