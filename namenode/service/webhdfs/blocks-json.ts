// Where the blocks of a file are, as WebHDFS tells of it.
import type { DatanodeId, DatanodeReport, LocatedBlock, LocatedBlocks, StorageType } from '../../../proto/ports.ts'
import { StorageType as StorageTypes } from '../../../proto/ports.ts'

/** What is known of a datanode beside its address. */
export type ReportOf = (uuid: string) => DatanodeReport | undefined

/** A block token that says nothing: three empty fields and no kind. */
const noToken = { urlString: 'AAAAAA' }

export function locatedBlocksJson(blocks: LocatedBlocks, reportOf: ReportOf): object {
  const { poolId } = blocks
  return {
    LocatedBlocks: {
      fileLength: blocks.fileLength,
      isLastBlockComplete: blocks.lastBlockComplete,
      isUnderConstruction: blocks.underConstruction,
      lastLocatedBlock: blocks.lastBlock ? locatedBlockJson(blocks.lastBlock, poolId, reportOf) : null,
      locatedBlocks: (blocks.blocks ?? []).map((block) => locatedBlockJson(block, poolId, reportOf)),
    },
  }
}

function locatedBlockJson(located: LocatedBlock, poolId: string, reportOf: ReportOf): object {
  return {
    block: {
      blockId: located.block?.blockId ?? 0,
      blockPoolId: poolId,
      generationStamp: located.block?.genstamp ?? 0,
      numBytes: located.block?.length ?? 0,
    },
    blockToken: noToken,
    cachedLocations: [],
    isCorrupt: located.corrupt,
    locations: located.locations.flatMap(({ datanode }) => (datanode ? [datanodeJson(datanode, reportOf(datanode.uuid))] : [])),
    startOffset: located.offset,
    storageTypes: located.locations.map(({ storageType }) => storageTypeName(storageType)),
  }
}

const adminStates: Readonly<Record<string, string>> = {
  'Decommission In Progress': 'DECOMMISSION_INPROGRESS',
  'Decommissioned': 'DECOMMISSIONED',
  'Entering Maintenance': 'ENTERING_MAINTENANCE',
  'In Maintenance': 'IN_MAINTENANCE',
}

function datanodeJson(id: DatanodeId, report: DatanodeReport | undefined): object {
  return {
    adminState: adminStates[report?.adminState ?? ''] ?? 'NORMAL',
    blockPoolUsed: report?.dfsUsed ?? 0,
    cacheCapacity: 0,
    cacheUsed: 0,
    capacity: report?.capacity ?? 0,
    dfsUsed: report?.dfsUsed ?? 0,
    hostName: id.hostname,
    infoPort: id.httpPort,
    infoSecurePort: 0,
    ipAddr: id.ip,
    ipcPort: id.ipcPort,
    lastBlockReportTime: report?.lastBlockReportMs ?? 0,
    lastUpdate: report?.lastContactMs ?? 0,
    name: transferAddress(id),
    networkLocation: id.rack,
    remaining: report?.remaining ?? 0,
    storageID: id.uuid,
    xceiverCount: report?.xceivers ?? 0,
    xferPort: transferPort(id),
  }
}

/** BlockLocation of Hadoop's FileSystem: the part of each block that lies in [offset, offset + length). */
export function blockLocationsJson(blocks: LocatedBlocks): object {
  return {
    BlockLocations: {
      BlockLocation: (blocks.blocks ?? []).map((located) => {
        const nodes = located.locations.flatMap(({ datanode }) => (datanode ? [datanode] : []))
        return {
          cachedHosts: [],
          corrupt: located.corrupt,
          hosts: nodes.map((node) => node.hostname),
          length: located.block?.length ?? 0,
          names: nodes.map(transferAddress),
          offset: located.offset,
          storageTypes: located.locations.map(({ storageType }) => storageTypeName(storageType)),
          topologyPaths: nodes.map((node) => `${node.rack}/${transferAddress(node)}`),
        }
      }),
    },
  }
}

/** A datanode without Hadoop's transfer door is told apart by its native port. */
const transferPort = (id: DatanodeId): number => id.transferPort || id.grpcPort
const transferAddress = (id: DatanodeId): string => `${id.ip}:${transferPort(id)}`

const names = new Map<number, string>(
  Object.entries(StorageTypes).map(([name, number]) => [number as number, name.replace(/^STORAGE_/, '')]),
)

/** DISK, SSD and so on; what is not said is a disk. */
export function storageTypeName(type: StorageType): string {
  const name = names.get(type)
  return name === undefined || name === 'UNSPECIFIED' ? 'DISK' : name
}

/** Throws nothing: undefined for a name that is none. Case does not matter. */
export function storageTypeOf(name: string): StorageType | undefined {
  const wanted = name.toUpperCase()
  for (const [number, known] of names) if (known === wanted && known !== 'UNSPECIFIED') return number as StorageType
  return undefined
}
