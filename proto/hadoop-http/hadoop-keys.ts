// Names that Hadoop gives to settings which Quarry has too, with the unit that Hadoop counts them in.
import { formatValue } from '../../common/option-values.ts'
import type { OptionValue } from '../../common/option-values.ts'
import { optionNames, options } from '../../common/options.ts'
import type { OptionName, OptionRole, OptionSpec, Settings } from '../../common/options.ts'

export interface Property {
  readonly name: string
  readonly value: string
}

/** as = as it is (bytes, counts, names, milliseconds, minutes); the others are turned from milliseconds. */
type Unit = 'as' | 's' | 'h'

const unitMs: Readonly<Record<Exclude<Unit, 'as'>, number>> = { s: 1000, h: 3_600_000 }

const keys: readonly (readonly [key: string, option: OptionName, unit: Unit])[] = [
  ['dfs.replication', 'replication', 'as'],
  ['dfs.namenode.replication.min', 'replication.min', 'as'],
  ['dfs.blocksize', 'block.size', 'as'],
  ['dfs.namenode.fs-limits.min-block-size', 'min.block.size', 'as'],
  ['dfs.namenode.fs-limits.max-blocks-per-file', 'blocks.per.file.max', 'as'],
  ['dfs.namenode.fs-limits.max-directory-items', 'directory.entries.max', 'as'],
  ['fs.trash.interval', 'trash.interval', 'as'],
  ['fs.trash.checkpoint.interval', 'trash.checkpoint.interval', 'as'],
  ['dfs.permissions.superusergroup', 'superuser.group', 'as'],
  ['dfs.permissions.enabled', 'permissions', 'as'],
  ['dfs.namenode.accesstime.precision', 'access.time.precision', 'as'],
  ['dfs.namenode.lease-hard-limit-sec', 'lease.hard', 's'],
  ['dfs.namenode.resource.du.reserved', 'resource.reserved', 'as'],
  ['dfs.namenode.resource.check.interval', 'resource.check.interval', 'as'],
  ['dfs.heartbeat.interval', 'heartbeat.interval', 's'],
  ['dfs.namenode.stale.datanode.interval', 'stale.after', 'as'],
  ['dfs.namenode.redundancy.interval.seconds', 'redundancy.interval', 's'],
  ['dfs.namenode.replication.max-streams', 'redundancy.streams.max', 'as'],
  ['dfs.namenode.reconstruction.pending.timeout-sec', 'redundancy.timeout', 's'],
  ['dfs.namenode.safemode.threshold-pct', 'safemode.threshold', 'as'],
  ['dfs.namenode.safemode.min.datanodes', 'safemode.min.datanodes', 'as'],
  ['dfs.namenode.safemode.extension', 'safemode.extension', 'as'],
  ['dfs.hosts', 'hosts.include', 'as'],
  ['dfs.hosts.exclude', 'hosts.exclude', 'as'],
  ['net.topology.script.file.name', 'topology.script', 'as'],
  ['dfs.namenode.maintenance.replication.min', 'maintenance.replication.min', 'as'],
  ['dfs.namenode.block-placement-policy.exclude-slow-nodes.enabled', 'avoid.slow.datanodes', 'as'],
  ['dfs.datanode.balance.bandwidthPerSec', 'balancer.bandwidth', 'as'],
  ['dfs.blockreport.intervalMsec', 'block.report.interval', 'as'],
  ['dfs.datanode.synconclose', 'sync.on.close', 'as'],
  ['dfs.datanode.data.dir', 'data.dirs', 'as'],
  ['dfs.datanode.du.reserved', 'reserved', 'as'],
  ['dfs.datanode.max.transfer.threads', 'datanode.streams.max', 'as'],
  ['dfs.datanode.failed.volumes.tolerated', 'failed.volumes.tolerated', 'as'],
  ['dfs.datanode.scan.period.hours', 'scan.period', 'h'],
  ['dfs.block.scanner.volume.bytes.per.second', 'scan.bytes.per.second', 'as'],
  ['dfs.datanode.directoryscan.interval', 'directory.scan.interval', 's'],
]

/** Settings whose names look like these would hold secrets; there are none today. */
const secret = /secret|password|token|credential/i
const redacted = '<redacted>'

/**
 * What a role runs with: `own` facts first, then by Hadoop's names, then all by ours as quarry.NAME, each once. What is not set is
 * left out, and so is a duration that Hadoop's unit cannot say.
 */
export function configuration(settings: Settings, role: Exclude<OptionRole, 'client' | 'all'>, own: readonly Property[]): Property[] {
  const applies = (option: OptionName) => ([role, 'all'] as OptionRole[]).includes(options[option].role)
  const hadoop = keys.flatMap(([name, option, unit]) => {
    const value = applies(option) ? inUnit(settings[option], unit) : undefined
    return value === undefined ? [] : [{ name, value }]
  })
  const ours = optionNames.filter(applies).map((option) => ({
    name: `quarry.${option}`,
    value: secret.test(option) ? redacted : formatValue(option, settings[option] as OptionValue),
  }))
  return [...own, ...hadoop, ...ours].filter(({ value }) => value !== '')
}

function inUnit(value: OptionValue, unit: Unit): string | undefined {
  if (unit === 'as' || typeof value !== 'number') return String(value)
  const counted = value / unitMs[unit]
  if (Number.isInteger(counted)) return String(counted)
  // Hadoop's time settings take a suffix where they are read as times, as the heartbeat's is.
  return unit === 's' ? `${value}ms` : undefined
}

/** For the table's check: every key once, and none for a setting that is not a time with a unit of time. */
export const hadoopKeys: readonly { readonly key: string; readonly option: OptionName; readonly spec: OptionSpec; readonly unit: Unit }[] =
  keys.map(([key, option, unit]) => ({ key, option, spec: options[option], unit }))
