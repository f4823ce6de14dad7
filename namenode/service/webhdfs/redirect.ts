// Which datanode a client is sent to, and by which address.
import { QuarryError } from '../../../common/errors.ts'
import type { DatanodeId, LocatedBlocks } from '../../../proto/ports.ts'
import { encodePath, webhdfsPrefix } from '../../../proto/webhdfs/request.ts'
import type { WebHdfsTarget } from '../../../proto/webhdfs/request.ts'
import type { BlockManager } from '../../core/cluster/block-manager.ts'

/** The first that the writer's place and the rules of placement name. Throws REFUSED when there is none. */
export function nodeForWriting(
  cluster: BlockManager,
  asked: { readonly address: string; readonly blockSize: number; readonly excluded: string },
): DatanodeId {
  const nodes = cluster.datanodes(0)
  const isExcluded = excluder(asked.excluded)
  const excluded = nodes.flatMap(({ datanode }) => (datanode && (isExcluded(datanode) || datanode.httpPort === 0) ? [datanode.uuid] : []))
  const { targets } = cluster.chooseTargets({
    caller: asked.address,
    wanted: 1,
    existing: [],
    excluded,
    favored: [],
    blockSize: asked.blockSize,
  })
  const chosen = targets[0]?.datanode
  if (chosen) return chosen
  return nodeForAnything(cluster, asked.excluded)
}

/** One that holds the block, the nearest first; any other when none of them is left, for each can read from all. */
export function nodeForReading(cluster: BlockManager, blocks: LocatedBlocks | null, excluded: string): DatanodeId {
  const isExcluded = excluder(excluded)
  const located = blocks?.blocks?.[0] ?? blocks?.lastBlock
  for (const { datanode } of located?.locations ?? []) if (datanode && datanode.httpPort !== 0 && !isExcluded(datanode)) return datanode
  return nodeForAnything(cluster, excluded)
}

let turn = 0

/** Any that lives, one after another. Throws REFUSED when there is none. */
function nodeForAnything(cluster: BlockManager, excluded: string): DatanodeId {
  const isExcluded = excluder(excluded)
  const usable = cluster
    .datanodes(0)
    .flatMap(({ datanode, live, stale }) =>
      datanode && live && !stale && datanode.httpPort !== 0 && !isExcluded(datanode) ? [datanode] : [],
    )
  const chosen = usable[turn++ % Math.max(1, usable.length)]
  if (chosen) return chosen
  throw new QuarryError(
    'REFUSED',
    `Failed to find datanode, suggest to check cluster health. excludeDatanodes=${excluded === '' ? 'null' : excluded}`,
  )
}

/** excludedatanodes: hosts, or hosts with any of the ports of a datanode, joined by commas. */
function excluder(text: string): (id: DatanodeId) => boolean {
  if (text === '') return () => false
  const given = new Set(
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
  return (id) => {
    if (id.httpAddress !== '' && given.has(id.httpAddress)) return true
    const ports = [id.httpPort, id.transferPort, id.grpcPort, id.ipcPort].filter((port) => port !== 0)
    return [id.ip, id.hostname].some((host) => given.has(host) || ports.some((port) => given.has(`${host}:${port}`)))
  }
}

/** Parameters that were for the namenode only. */
const consumed: ReadonlySet<string> = new Set(['noredirect', 'excludedatanodes', 'namenoderpcaddress'])

/**
 * The same request at the datanode. It may be used again, and clients add parameters to it: it has a question mark, and holds no
 * secret. `rpcAddress` is where the namenode answers Hadoop's clients.
 */
export function locationAt(node: DatanodeId, target: WebHdfsTarget, rpcAddress: string): string {
  const kept = target.rawQuery.split('&').filter((part) => part !== '' && !consumed.has(part.split('=', 1)[0]!.toLowerCase()))
  const host = node.httpAddress !== '' ? node.httpAddress : `${node.ip.includes(':') ? `[${node.ip}]` : node.ip}:${node.httpPort}`
  // Behind the operation, as HDFS has it: programs that take it out of the middle exist.
  return `http://${host}${webhdfsPrefix}${encodePath(target.path)}?${[...kept.slice(0, 1), `namenoderpcaddress=${rpcAddress}`, ...kept.slice(1)].join('&')}`
}
