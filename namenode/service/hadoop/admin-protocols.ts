// Protocols beside ClientProtocol that Hadoop's tools speak with a namenode.
import { QuarryError } from '../../../common/errors.ts'
import { rpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import { viaCore } from './session.ts'
import type { HadoopCall, HadoopMethods } from './session.ts'

const HA_ACTIVE = 1
/** What HDFS calls itself to its own tools, which refuse namenodes of other versions; layout and namespace id mean nothing here. */
const softwareVersion = '3.4.3'
const layoutVersion = 0xffffffff - 66

/** Refreshes of what Quarry keeps fresh by itself, or does not have: done when the superuser asks. */
const refresh = (operation: string): HadoopMethods[string] =>
  rpcMethod('Nothing', 'Nothing', (call: HadoopCall) => {
    call.session.requireSuper(call, operation)
    return {}
  })

const noStandby = 'Quarry has one namenode, which is active: HA is not enabled.'
const transition = rpcMethod('Nothing', 'Nothing', () => {
  throw new QuarryError('UNSUPPORTED', noStandby)
})

const refreshUserMappings: HadoopMethods = {
  refreshUserToGroupsMappings: rpcMethod('Nothing', 'Nothing', (call: HadoopCall) => {
    call.session.requireSuper(call, 'refreshUserToGroupsMappings')
    call.session.front.groups.forget()
    return {}
  }),
  refreshSuperUserGroupsConfiguration: refresh('refreshSuperUserGroupsConfiguration'),
}

const userMappings: HadoopMethods = {
  getGroupsForUser: rpcMethod('UserRequest', 'GroupsResponse', async (call: HadoopCall, { user }) => {
    const { groups } = call.session.front
    await groups.prepare(user)
    return { groups: groups.current(user) }
  }),
}

const genericRefresh: HadoopMethods = {
  refresh: rpcMethod('GenericRefreshRequest', 'Nothing', (_: HadoopCall, { identifier }) => {
    throw new QuarryError('ILLEGAL_ARGUMENT', `Identifier '${identifier ?? ''}' does not exist in RefreshRegistry. Valid options are: `)
  }),
}

const haService: HadoopMethods = {
  monitorHealth: rpcMethod('Nothing', 'Nothing', () => ({})),
  getServiceStatus: rpcMethod('Nothing', 'ServiceStatusResponse', () => ({ state: HA_ACTIVE, ready: true })),
  transitionToActive: transition,
  transitionToStandby: transition,
  transitionToObserver: transition,
}

const namenode: HadoopMethods = {
  versionRequest: rpcMethod('Nothing', 'VersionResponse', (call: HadoopCall) => {
    call.session.requireSuper(call, 'versionRequest')
    const { poolId, clusterId } = call.session.front
    return {
      info: {
        buildVersion: softwareVersion,
        unused: 0,
        poolId,
        storage: { layoutVersion, namespaceId: 1, clusterId, created: 0 },
        softwareVersion,
      },
    }
  }),
  getTransactionId: viaCore(
    'Nothing',
    'TxidResponse',
    'getFsStats',
    () => ({}),
    ({ lastTxid }) => ({ txid: lastTxid }),
  ),
  isUpgradeFinalized: rpcMethod('Nothing', 'BoolResult', () => ({ result: true })),
  isRollingUpgrade: rpcMethod('Nothing', 'BoolResult', () => ({ result: false })),
}

/** Who may call is not a list that could be read again. */
const authorizationPolicy: HadoopMethods = {
  refreshServiceAcl: rpcMethod('Nothing', 'Nothing', () => {
    throw new QuarryError('NOT_AUTHORIZED', 'Service Level Authorization not enabled!')
  }),
}

export const adminProtocols: Readonly<Record<string, { readonly methods: HadoopMethods }>> = {
  'org.apache.hadoop.security.RefreshUserMappingsProtocol': { methods: refreshUserMappings },
  'org.apache.hadoop.security.authorize.RefreshAuthorizationPolicyProtocol': { methods: authorizationPolicy },
  'org.apache.hadoop.ipc.RefreshCallQueueProtocol': { methods: { refreshCallQueue: refresh('refreshCallQueue') } },
  'org.apache.hadoop.ipc.GenericRefreshProtocol': { methods: genericRefresh },
  'org.apache.hadoop.tools.GetUserMappingsProtocol': { methods: userMappings },
  'org.apache.hadoop.ha.HAServiceProtocol': { methods: haService },
  'org.apache.hadoop.hdfs.server.protocol.NamenodeProtocol': { methods: namenode },
}
