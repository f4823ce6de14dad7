// A client of a simulated cluster: the real SDK on a machine of its own.
import type { Env } from '../../../common/env.ts'
import { FileSystem } from '../../../client/filesystem.ts'
import { connectNamenode } from '../../../proto/transport/metadata-session.ts'
import { simDatanodeClients, simMetadataChannel } from './channels.ts'
import type { Cluster } from './cluster.ts'
import type { Machine } from './machine.ts'

/** A client waits this long for a namenode that is down when it starts. */
const connectTimeoutMs = 600_000

/** Starts a process on the machine and connects it. */
export async function startClient(cluster: Cluster, machine: Machine, user: string): Promise<{ fs: FileSystem; env: Env }> {
  const env = machine.boot()
  const uri = `quarry://${cluster.namenodeAddress}`
  const namenode = await connectNamenode({
    uri,
    user,
    env,
    connectTimeoutMs,
    channel: simMetadataChannel(cluster.network, machine, cluster.namenodeAddress),
  })
  const datanodes = simDatanodeClients(cluster.network, machine, env.clock)
  const options = { localReads: false, umask: 0o022 }
  return { fs: new FileSystem({ uri, user, namenode, datanodes, options, env }), env }
}
