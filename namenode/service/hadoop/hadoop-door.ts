// The door of the namenode for Hadoop's clients (hdfs://): ClientProtocol and what Hadoop's tools speak beside it. A codec: every
// call becomes a context and a command for the front, as those of native clients do, and is admitted, counted and decided there.
import type { Clock, Logger } from '../../../common/env.ts'
import { openRpcServer } from '../../../proto/hadoop/rpc-server.ts'
import type { RpcServer } from '../../../proto/hadoop/rpc-server.ts'
import type { RpcCaller, RpcPeer, RpcService } from '../../../proto/hadoop/rpc-service.ts'
import { absentCalls } from './absent-calls.ts'
import { adminProtocols } from './admin-protocols.ts'
import { attributeCalls } from './attribute-calls.ts'
import { clusterCalls } from './cluster-calls.ts'
import { fileCalls } from './file-calls.ts'
import { HadoopSession } from './session.ts'
import type { DoorParts } from './session.ts'
import { writerCalls } from './writer-calls.ts'

const clientProtocol = 'org.apache.hadoop.hdfs.protocol.ClientProtocol'

const protocols: RpcService<HadoopSession>['protocols'] = {
  [clientProtocol]: { methods: { ...fileCalls, ...writerCalls, ...attributeCalls, ...clusterCalls, ...absentCalls } },
  ...adminProtocols,
}

export function hadoopService(parts: DoorParts): RpcService<HadoopSession> {
  const { front } = parts
  const admit = (caller: RpcCaller, peer: RpcPeer): HadoopSession => {
    front.authorize(caller.realUser, caller.user, caller.remoteAddress)
    front.counters.sessions++
    const crowded = front.crowded()
    if (crowded !== undefined) {
      front.counters.sessions--
      throw crowded
    }
    return new HadoopSession(parts, caller, () => peer.look())
  }
  return {
    protocols,
    open(caller, peer) {
      const wait = front.prepare(caller.user)
      return wait === undefined ? admit(caller, peer) : wait.then(() => admit(caller, peer))
    },
    close(session) {
      front.counters.sessions--
      session.close()
    },
    arrived: (session) => front.admission.arrived(session.patron),
    mayRead: ({ patron }) => !patron.isOver && !patron.isResting,
  }
}

export interface HadoopDoorOptions extends DoorParts {
  readonly clock: Clock
  readonly log: Logger
  readonly connectionsMax: number
}

export function openHadoopDoor(options: HadoopDoorOptions, at: { readonly host: string; readonly port: number }): Promise<RpcServer> {
  const { log, clock, connectionsMax } = options
  return openRpcServer({ service: hadoopService(options), log, clock, connectionsMax, setting: 'hdfs.port' }, at)
}
