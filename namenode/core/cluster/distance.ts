// Orders the places of a block for its reader: same host, same rack, elsewhere; slow datanodes after those, then stale ones, last those
// that are on their way out or out of service; chance among equals, so that readers spread.
import type { Random } from '../../../common/env.ts'
import type { ReplicaLocation } from '../../../proto/ports.ts'
import type { DatanodeTable } from './datanode-table.ts'
import type { Storage } from './datanode.ts'

/** Without `random` equals keep their order: that of the pipeline. */
export function sortByDistance(
  storages: Storage[],
  reader: { readonly host: string; readonly nodes: DatanodeTable; readonly random: Random | undefined },
): ReplicaLocation[] {
  const { host, nodes, random } = reader
  if (storages.length > 1) {
    if (random) shuffle(storages, random)
    const rack = nodes.rackOfHost(host)
    const distance = (storage: Storage): number => {
      const { id, state, admin, slowLatencyMs } = storage.node
      const near = id.ip === host || id.hostname === host ? 0 : id.rack === rack ? 1 : 2
      return near + (slowLatencyMs === undefined ? 0 : 5) + (state === 'live' ? 0 : 10) + (admin === 'in-service' ? 0 : 20)
    }
    storages.sort((a, b) => distance(a) - distance(b))
  }
  return storages.map((storage) => storage.location)
}

function shuffle(storages: Storage[], random: Random): void {
  for (let i = storages.length - 1; i > 0; i--) {
    const j = Math.floor(random.float() * (i + 1))
    const kept = storages[i]!
    storages[i] = storages[j]!
    storages[j] = kept
  }
}
