// The command line of fsck.
import { genericUsage } from '../usage.ts'

const flagNames = [
  'move',
  'delete',
  'files',
  'openforwrite',
  'blocks',
  'locations',
  'racks',
  'replicaDetails',
  'upgradedomains',
  'storagepolicies',
  'maintenance',
  'showprogress',
  'list-corruptfileblocks',
  'includeSnapshots',
  'replicate',
] as const

export type FsckFlag = (typeof flagNames)[number]

export interface FsckCommand {
  readonly path: string
  readonly flags: ReadonlySet<FsckFlag>
  /** What -blockId names; undefined when a path is checked. */
  readonly blockIds?: readonly string[]
}

export type Parsed =
  | { readonly kind: 'command'; readonly command: FsckCommand }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string }

/** As Hadoop prints it, because scripts look for it. */
const usage = `Usage: hdfs fsck <path> [-list-corruptfileblocks | [-move | -delete | -openforwrite] [-files [-blocks [-locations | -racks | -replicaDetails | -upgradedomains]]]] [-includeSnapshots] [-showprogress] [-storagepolicies] [-maintenance] [-blockId <blk_Id>] [-replicate]
\t<path>\tstart checking from this path
\t-move\tmove corrupted files to /lost+found
\t-delete\tdelete corrupted files
\t-files\tprint out files being checked
\t-openforwrite\tprint out files opened for write
\t-includeSnapshots\tinclude snapshot data if the given path indicates a snapshottable directory or there are snapshottable directories under it
\t-list-corruptfileblocks\tprint out list of missing blocks and files they belong to
\t-files -blocks\tprint out block report
\t-files -blocks -locations\tprint out locations for every block
\t-files -blocks -racks\tprint out network topology for data-node locations
\t-files -blocks -replicaDetails\tprint out each replica details${' '}
\t-files -blocks -upgradedomains\tprint out upgrade domains for every block
\t-storagepolicies\tprint out storage policy summary for the blocks
\t-maintenance\tprint out maintenance state node details
\t-showprogress\tDeprecated. Progress is now shown by default
\t-blockId\tprint out which file this blockId belongs to, locations (nodes, racks) of this block, and other diagnostics info (under replicated, corrupted or not, etc)
\t-replicate initiate replication work to make mis-replicated
 blocks satisfy block placement policy

Please Note:

\t1. By default fsck ignores files opened for write, use -openforwrite to report such files. They are usually  tagged CORRUPT or HEALTHY depending on their block allocation status
\t2. Option -includeSnapshots should not be used for comparing stats, should be used only for HEALTH check, as this may contain duplicates if the same file present in both original fs tree and inside snapshots.
`

const isFlag = (name: string): name is FsckFlag => (flagNames as readonly string[]).includes(name)
const wrong = (message: string): Parsed => ({ kind: 'wrong', text: `${message}${usage}\n${genericUsage}` })

/** Without a path the root is checked; without any word the usage is shown. */
export function parseFsck(words: readonly string[]): Parsed {
  // Hadoop takes a leading -files for a generic option, and refuses it.
  if (words.length === 0 || words[0] === '-files') return wrong('')
  if (words.length === 1 && ['-h', '-help', '--help'].includes(words[0] as string)) {
    return { kind: 'help', text: `${usage}\n${genericUsage}` }
  }
  const flags = new Set<FsckFlag>()
  let path: string | undefined
  let blockIds: string[] | undefined
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    const name = word.slice(1)
    if (word === '-blockId') {
      blockIds = []
      while (at + 1 < words.length && !words[at + 1]?.startsWith('-')) blockIds.push(words[++at] as string)
    } else if (word.startsWith('-')) {
      if (!isFlag(name)) return wrong(`fsck: Illegal option '${word}'\n`)
      flags.add(name)
    } else if (path !== undefined) {
      return wrong(`fsck: can only operate on one path at a time '${word}'\n`)
    } else {
      path = word
    }
  }
  return { kind: 'command', command: { path: path ?? '/', flags, ...(blockIds && { blockIds }) } }
}
