// Settings whose defaults are meant for a cluster of many machines, and what `quarry up` takes instead: all its roles are processes of one
// machine, a heartbeat costs nothing there, and a connection that breaks means a process that ended. docs/decisions/0011.
import { envNameOf, type OptionName } from '../../common/options.ts'

const embeddedDefaults: readonly (readonly [OptionName, string])[] = [
  ['heartbeat.interval', '1s'],
  ['stale.after', '10s'],
  ['dead.after', '20s'],
  ['gone.after', '3s'],
  // Hadoop clients find their doors open.
  ['hdfs.port', '0'],
  ['transfer.port', '0'],
  ['ipc.port', '0'],
]

/** `flags` with the embedded defaults of what neither they nor the environment set. */
export function withEmbeddedDefaults(flags: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv): Record<string, string> {
  const isGiven = (name: OptionName) => Object.hasOwn(flags, name) || env[envNameOf(name)] !== undefined
  // Who chooses dead.after chooses staleness with it, unless it is given, too (common/config.ts).
  const missing = embeddedDefaults.filter(([name]) => !isGiven(name) && !(name === 'stale.after' && isGiven('dead.after')))
  return { ...Object.fromEntries(missing), ...flags }
}
