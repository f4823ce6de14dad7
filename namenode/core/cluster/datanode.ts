// One datanode and its storages, as the namenode knows them.
import type { DatanodeId, Init, NameMessage, ReplicaLocation, StorageReport, StorageType } from '../../../proto/ports.ts'
import { StorageType as StorageTypes } from '../../../proto/ports.ts'
import type { AdminState } from './admin-states.ts'
import type { NodeState } from './liveness.ts'

/** The way down to a connected datanode. */
export interface NodeLink {
  send(message: Init<NameMessage>): void
  /** The session is over: another one took its place, or the node is to stop. */
  close(reason: string): void
}

export interface Storage {
  /** Number in the replica map; never reused while the namenode runs. */
  readonly index: number
  readonly uuid: string
  readonly type: StorageType
  readonly node: Datanode
  /** One shared object: locations are handed out by the hundred thousand. */
  location: ReplicaLocation
  capacity: number
  dfsUsed: number
  remaining: number
  failed: boolean
  /** Why it failed, in the datanode's words. */
  failure: string
  /** No full report since the node registered: what is known of its replicas may be out of date, so nothing is deleted because of it. */
  contentStale: boolean
  /** Replicas in the map. */
  blocks: number
  /** Mark of the full report that is being taken in or was last; see ReplicaMap.epoch. */
  epoch: number
  /** Replicas in the map that carry the mark `epoch`. */
  marked: number
  /** The full report that is being taken in, part by part. */
  report: { readonly id: number; readonly nextPart: number } | undefined
  lastReportMs: number
}

export interface Datanode {
  id: DatanodeId
  state: NodeState
  admin: AdminState
  /** Since the epoch; 0 = not in maintenance, or without an end. */
  maintenanceUntilMs: number
  /** The worst latency that its neighbours report; undefined when it is not slow. */
  slowLatencyMs: number | undefined
  /** When its stream broke without a goodbye, monotonic; undefined while it is connected or was stopped on purpose. */
  brokenMs: number | undefined
  /** Undefined while no session is open. */
  link: NodeLink | undefined
  storages: Storage[]
  /** Monotonic. */
  lastContactMs: number
  /** Since the epoch, for reports. */
  lastContactWallMs: number
  xceivers: number
  transfers: number
  nonDfsUsed: number
  softwareVersion: string
  /** When its process started, by its own clock: tells a reconnect from a restart. */
  startedMs: number
  /** Copies this node has been told to send and that have not arrived. */
  outgoing: number
  /** Replicas promised to this node by placement that have not arrived: their space is spoken for. */
  scheduled: number
  /** Part of `scheduled` that is older than one roll; see rollScheduled. */
  scheduledBefore: number
  /** Replicas of no file that it reported in safe mode: it is asked again afterwards. */
  unknownInSafeMode: number
}

/** host:port as people know a datanode: the transfer port where that door is open, as in HDFS. */
export function nodeAddress(id: DatanodeId): string {
  return `${id.ip}:${id.transferPort || id.grpcPort}`
}

/** Bytes that may still be written on the storages that work. */
export function remainingOf(node: Datanode): number {
  let sum = 0
  for (const storage of node.storages) if (!storage.failed) sum += storage.remaining
  return sum
}

export function newNode(id: DatanodeId): Datanode {
  return {
    id,
    state: 'live',
    admin: 'in-service',
    maintenanceUntilMs: 0,
    slowLatencyMs: undefined,
    brokenMs: undefined,
    link: undefined,
    storages: [],
    lastContactMs: 0,
    lastContactWallMs: 0,
    xceivers: 0,
    transfers: 0,
    nonDfsUsed: 0,
    softwareVersion: '',
    startedMs: 0,
    outgoing: 0,
    scheduled: 0,
    scheduledBefore: 0,
    unknownInSafeMode: 0,
  }
}

export function newStorage(index: number, node: Datanode, report: StorageReport): Storage {
  const storage: Omit<Storage, 'location'> = {
    index,
    uuid: report.storageUuid,
    type: report.type || StorageTypes.STORAGE_DISK,
    node,
    capacity: 0,
    dfsUsed: 0,
    remaining: 0,
    failed: false,
    failure: '',
    contentStale: true,
    blocks: 0,
    epoch: 0,
    marked: 0,
    report: undefined,
    lastReportMs: 0,
  }
  return Object.assign(storage, { location: locationOf(storage) })
}

export function locationOf(storage: Omit<Storage, 'location'>): ReplicaLocation {
  return { datanode: storage.node.id, storageUuid: storage.uuid, storageType: storage.type }
}
