// The settings of Quarry as data. One row gives the key in a configuration file, the environment variable, the flag, the help
// text, the check and a line of docs/settings.md. Order of precedence: flag (or -D) > environment > file > default.

export type OptionType = 'int' | 'bytes' | 'duration' | 'boolean' | 'string' | 'list'
export type OptionRole = 'namenode' | 'datanode' | 'client' | 'all'

export interface OptionSpec<T = unknown> {
  readonly type: OptionType
  /** What a plain number means; durations also take 500ms, 3s, 10m, 1h, 7d, and bytes take 64k, 128m, 1g (powers of 1024). */
  readonly unit: '' | 'ms' | 's' | 'min' | 'bytes' | 'entries'
  readonly default: T
  readonly min?: number
  readonly max?: number
  readonly role: OptionRole
  readonly doc: string
}

const int = (
  role: OptionRole,
  value: number,
  min: number,
  max: number,
  doc: string,
  unit: OptionSpec['unit'] = '',
): OptionSpec<number> => ({ type: 'int', unit, default: value, min, max, role, doc })
const bytes = (role: OptionRole, value: number, min: number, max: number, doc: string): OptionSpec<number> => ({
  type: 'bytes',
  unit: 'bytes',
  default: value,
  min,
  max,
  role,
  doc,
})
/** A duration; the parsed value is in the unit named. */
const duration = (
  role: OptionRole,
  unit: 'ms' | 's' | 'min',
  value: number,
  min: number,
  max: number,
  doc: string,
): OptionSpec<number> => ({ type: 'duration', unit, default: value, min, max, role, doc })
const flag = (role: OptionRole, value: boolean, doc: string): OptionSpec<boolean> => ({
  type: 'boolean',
  unit: '',
  default: value,
  role,
  doc,
})
const text = (role: OptionRole, value: string, doc: string): OptionSpec<string> => ({ type: 'string', unit: '', default: value, role, doc })
const list = (role: OptionRole, value: readonly string[], doc: string): OptionSpec<readonly string[]> => ({
  type: 'list',
  unit: '',
  default: value,
  role,
  doc,
})

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const TIB = 1024 * GIB

export const options = {
  // Namespace
  'replication': int('all', 3, 1, 512, 'Copies of each block that a new file gets.'),
  'replication.min': int('namenode', 1, 1, 512, 'Copies that must be on datanodes before a file may be closed.'),
  'block.size': bytes('all', 128 * MIB, 512, 16 * TIB, 'Block size of a new file; a multiple of 512.'),
  'min.block.size': bytes('namenode', 1 * MIB, 512, 16 * TIB, 'Smallest block size that a client may ask for.'),
  'blocks.per.file.max': int('namenode', 10_000, 1, 1_000_000, 'Blocks that one file may have.'),
  'directory.entries.max': int('namenode', 1_048_576, 1, 6_400_000, 'Entries that one directory may have.'),
  'trash.interval': duration('namenode', 'min', 360, 0, 525_600, 'How long deleted files stay in the trash; 0 deletes at once.'),
  'trash.checkpoint.interval': duration(
    'namenode',
    'min',
    0,
    0,
    525_600,
    'How often the trash is sealed into a dated folder; 0 = trash.interval.',
  ),
  'superuser.group': text('namenode', 'supergroup', 'Members of this group pass every permission check.'),
  'proxy.users': list(
    'namenode',
    [],
    'Users that may act for others, as user=WHO[@FROM]: WHO is * or groups, and users as user:NAME, joined by +; FROM is addresses or networks (10.0.0.0/8) joined by +, without it any. As hue=* or knox=staff+user:ann@10.0.0.1. Empty = nobody.',
  ),
  'permissions': flag('namenode', true, 'Check POSIX permissions.'),
  'access.time.precision': duration(
    'namenode',
    'ms',
    3_600_000,
    0,
    31_536_000_000,
    'Access times are kept this precisely; 0 turns them off.',
  ),
  'lease.soft': duration('namenode', 'ms', 60_000, 100, 86_400_000, 'After this long without renewal another writer may take a file over.'),
  'lease.hard': duration(
    'namenode',
    'ms',
    1_200_000,
    100,
    86_400_000,
    'After this long without renewal the namenode closes a file by itself.',
  ),
  'edits.retain': int('namenode', 100_000, 0, 1_000_000_000, 'Transactions kept in the edit log; 0 keeps all.', 'entries'),
  'resource.reserved': bytes(
    'namenode',
    100 * MIB,
    0,
    1024 * GIB,
    'With less than this free on the disk of its directory the namenode takes no changes until there is more again.',
  ),
  'resource.check.interval': duration('namenode', 'ms', 5_000, 20, 3_600_000, 'How often the namenode looks how full its disk is.'),
  'check.at.start': flag('namenode', false, 'Check every page of the namespace database before serving.'),
  'cache.entries': int('namenode', 200_000, 1000, 100_000_000, 'Inodes and names that the namenode keeps in memory.', 'entries'),
  'sqlite.cache': bytes('namenode', 64 * MIB, 1 * MIB, 64 * GIB, 'Page cache of the namespace database.'),
  // Liveness and redundancy
  'heartbeat.interval': duration('all', 'ms', 3_000, 50, 3_600_000, 'How often a datanode reports that it is alive.'),
  'stale.after': duration('namenode', 'ms', 30_000, 100, 86_400_000, 'A datanode silent for this long is used last.'),
  'dead.after': duration(
    'namenode',
    'ms',
    60_000,
    200,
    86_400_000,
    'A datanode silent for this long is dead: its blocks are copied elsewhere. HDFS waits 630 s.',
  ),
  'gone.after': duration(
    'namenode',
    'ms',
    10_000,
    100,
    86_400_000,
    'A datanode whose connection broke without a goodbye, and that is not back after this long, is dead, too.',
  ),
  'redundancy.interval': duration('namenode', 'ms', 1_000, 20, 3_600_000, 'How often missing copies are scheduled.'),
  'redundancy.streams.max': int('namenode', 4, 1, 100, 'Copies that one datanode sends at the same time.'),
  'redundancy.timeout': duration(
    'namenode',
    'ms',
    300_000,
    100,
    86_400_000,
    'A scheduled copy that has not arrived after this long is scheduled again.',
  ),
  'safemode.threshold': text('namenode', '0.999', 'Share of blocks that must be reported before the namenode leaves safe mode.'),
  'safemode.min.datanodes': int('namenode', 0, 0, 100_000, 'Live datanodes needed to leave safe mode.'),
  'safemode.extension': duration('namenode', 'ms', 0, 0, 3_600_000, 'Safe mode lasts this much longer once the threshold is reached.'),
  // Nodes and places
  'hosts.include': text('namenode', '', 'File of datanodes that may join, one host, address or host:port a line; empty = all.'),
  'hosts.exclude': text('namenode', '', 'File of datanodes to decommission, one a line; read again by dfsadmin -refreshNodes.'),
  'topology.map': list('namenode', [], 'Racks of hosts, as host=/rack; a host that is not named keeps what its datanode says.'),
  'topology.script': text('namenode', '', 'Program that is given addresses and prints a rack for each; wins over topology.map.'),
  'maintenance.replication.min': int(
    'namenode',
    1,
    0,
    512,
    'Live copies that a block must have elsewhere before a datanode may go into maintenance.',
  ),
  'balancer.bandwidth': bytes('all', 100 * MIB, 64 * KIB, 1 * TIB, 'Bytes a second that a datanode sends in moves of the balancer.'),
  'avoid.slow.datanodes': flag(
    'namenode',
    true,
    'Place no new replicas on datanodes that their neighbours report as slow, while others can.',
  ),
  'block.report.interval': duration(
    'datanode',
    'ms',
    21_600_000,
    1000,
    604_800_000,
    'How often a datanode sends the full list of its blocks.',
  ),
  // Datanode
  'sync.on.close': flag(
    'all',
    true,
    'A closed block is on disk on every replica before the writer hears of it. false trades that for speed, as HDFS does.',
  ),
  'data.dirs': list('datanode', [], 'Storage directories of a datanode, one for each disk.'),
  'reserved': bytes('datanode', 1 * GIB, 0, 1024 * TIB, 'Space on each disk that a datanode leaves free.'),
  'capacity': bytes('datanode', 0, 0, 1024 * TIB, 'Upper bound for the bytes a storage directory may hold; 0 = what the disk has.'),
  'datanode.streams.max': int('datanode', 4096, 1, 65_536, 'Block streams that a datanode serves at the same time.'),
  'rack': text('datanode', '/default-rack', 'Rack of the datanode; begins with /.'),
  'failed.volumes.tolerated': int('datanode', 0, 0, 1000, 'Storage directories that may fail before the datanode stops.'),
  'scan.period': duration(
    'datanode',
    'ms',
    504 * 3_600_000,
    0,
    10_000 * 3_600_000,
    'Every finalised replica is read and checked once in this time; 0 = never. HDFS: 504 h.',
  ),
  'scan.bytes.per.second': bytes(
    'datanode',
    1 * MIB,
    0,
    1 * TIB,
    'The scanner of a storage directory reads at most this much; 0 = no scanner.',
  ),
  'directory.scan.interval': duration(
    'datanode',
    'ms',
    21_600_000,
    0,
    604_800_000,
    'How often a datanode compares the files on its disks with what it knows; 0 = never.',
  ),
  'local.reads': flag('all', true, "Clients on a datanode's own host may read verified block files directly."),
  // Writers and readers
  'replace.datanode': text(
    'client',
    'default',
    'Take on another datanode when a pipeline loses one: default (as HDFS: 3 or more wanted, and half of them lost, or the file flushed or appended), always, or never.',
  ),
  'replace.datanode.best.effort': flag(
    'client',
    true,
    'Go on with the datanodes that are left when no other is found; false fails the write.',
  ),
  'datanode.restart.timeout': duration('client', 'ms', 30_000, 0, 600_000, 'How long a writer waits for a datanode that said it restarts.'),
  'slow.datanode.threshold': duration(
    'client',
    'ms',
    0,
    0,
    600_000,
    'A datanode of a pipeline that takes longer than this for several packets in a row, while the others do not, is dropped; 0 = never.',
  ),
  'hedged.read.threshold': duration(
    'client',
    'ms',
    0,
    0,
    600_000,
    'A read that has brought nothing after this long is also sent to another replica; 0 = never.',
  ),
  'ack.timeout': duration('client', 'ms', 60_000, 100, 3_600_000, 'A pipeline that acknowledges nothing for this long is broken.'),
  'read.timeout': duration('client', 'ms', 10_000, 100, 3_600_000, 'A replica that brings nothing for this long is passed over.'),
  // Doors
  'dir': text('all', '', 'Directory of the role: the database of a namenode, identity of a datanode.'),
  'bind': text('all', '127.0.0.1', 'Address the role listens on.'),
  'advertise': text(
    'all',
    '',
    'Address that others are told to use; empty = bind, or the name of the host where bind means all addresses.',
  ),
  'port': int('all', 0, 0, 65_535, 'Native (gRPC) port; 0 = a free one. Conventional: namenode 8021, datanode 9868.'),
  'advertise.port': int(
    'datanode',
    0,
    0,
    65_535,
    'Native port that others are told to use, where a proxy or a mapping of ports stands before the datanode; 0 = port.',
  ),
  'connections.max': int(
    'namenode',
    10_000,
    1,
    1_000_000,
    'Clients that may be connected at a time; who comes when there are as many is refused and tries again. Each takes a file descriptor.',
  ),
  'http.port': int('all', 0, 0, 65_535, 'HTTP port (health, status, metrics); 0 = a free one. Conventional: namenode 9870, datanode 9864.'),
  'http.advertise': text(
    'datanode',
    '',
    'host:port that WebHDFS clients are sent to, where a proxy or a mapping of ports stands before the HTTP port; empty = the address and http.port.',
  ),
  'cors.origins': list(
    'all',
    [],
    'Origins whose web pages may use WebHDFS, such as https://files.example.org; * = all. A request of any other page is refused. Programs send no origin and are always served.',
  ),
  'hdfs.port': int('namenode', -1, -1, 65_535, 'Port for Hadoop clients (hdfs://); 0 = a free one, -1 = closed. Conventional: 8020.'),
  'transfer.port': int(
    'datanode',
    -1,
    -1,
    65_535,
    'Port on which Hadoop clients read and write blocks; 0 = a free one, -1 = closed. Conventional: 9866.',
  ),
  'ipc.port': int(
    'datanode',
    -1,
    -1,
    65_535,
    'Port for calls of Hadoop clients to a datanode; 0 = a free one, -1 = closed. Conventional: 9867.',
  ),
  'namenode': text('datanode', '', 'URI of the namenode, such as quarry://127.0.0.1:8021.'),
  'insecure': flag('all', false, 'Allow listening beyond loopback although nothing authenticates callers.'),
  'drain.timeout': duration('all', 'ms', 10_000, 0, 600_000, 'How long a stopping role waits for open work.'),
  'log.level': text('all', 'info', 'error, warn, info or debug.'),
  // Compute
  'compute': flag('datanode', true, 'Run query fragments beside the blocks.'),
  'compute.executors': int('datanode', 1, 1, 64, 'Executor processes of a datanode; started when the first fragment arrives.'),
  'compute.threads': int('datanode', 1, 1, 64, 'Threads of each executor.'),
  'compute.memory': bytes('datanode', 512 * MIB, 64 * MIB, 1 * TIB, 'Memory limit of each executor.'),
} as const satisfies Record<string, OptionSpec>

export type OptionName = keyof typeof options
type Widen<T> = T extends number ? number : T extends boolean ? boolean : T extends string ? string : T
/** Checked values of all options. */
export type Settings = { readonly [K in OptionName]: Widen<(typeof options)[K]['default']> }

export const optionNames = Object.keys(options) as OptionName[]

/** The environment variable of an option: QUARRY_BLOCK_SIZE for block.size. */
export function envNameOf(name: OptionName): string {
  return `QUARRY_${name.toUpperCase().replaceAll('.', '_')}`
}
