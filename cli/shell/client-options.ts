// Options of the client, as a person gives them to a command: -D name=value, one of Hadoop's keys, or the environment.
import type { ConnectOptions } from '../../client/types.ts'
import type { OptionName } from '../../common/options.ts'
import type { Configuration } from './configuration.ts'

type ClientOptions = Partial<
  Pick<
    ConnectOptions,
    | 'replication'
    | 'blockSize'
    | 'replaceDatanode'
    | 'replaceDatanodeBestEffort'
    | 'datanodeRestartTimeoutMs'
    | 'slowDatanodeThresholdMs'
    | 'hedgedReadThresholdMs'
    | 'ackTimeoutMs'
    | 'readTimeoutMs'
  >
>

interface Row {
  readonly name: OptionName
  readonly target: keyof ClientOptions
  /** Hadoop's key, and its text as one of ours. */
  readonly hadoop?: { readonly key: string; readonly translate: (text: string) => string }
}

const replace = 'dfs.client.block.write.replace-datanode-on-failure'
const same = (text: string): string => text

const rows: readonly Row[] = [
  // Of new files. Hadoop's own keys for them are the shell's, which go before these.
  { name: 'replication', target: 'replication' },
  { name: 'block.size', target: 'blockSize' },
  { name: 'replace.datanode', target: 'replaceDatanode', hadoop: { key: `${replace}.policy`, translate: (text) => text.toLowerCase() } },
  { name: 'replace.datanode.best.effort', target: 'replaceDatanodeBestEffort', hadoop: { key: `${replace}.best-effort`, translate: same } },
  {
    name: 'datanode.restart.timeout',
    target: 'datanodeRestartTimeoutMs',
    // Seconds, where no unit is given.
    hadoop: { key: 'dfs.client.datanode-restart.timeout', translate: (text) => (/^\d+$/.test(text) ? `${text}s` : text) },
  },
  { name: 'slow.datanode.threshold', target: 'slowDatanodeThresholdMs' },
  {
    name: 'hedged.read.threshold',
    target: 'hedgedReadThresholdMs',
    hadoop: { key: 'dfs.client.hedged.read.threshold.millis', translate: same },
  },
  { name: 'ack.timeout', target: 'ackTimeoutMs' },
  { name: 'read.timeout', target: 'readTimeoutMs' },
]

/** Throws CONFIG for a value that cannot be used. Nothing given, nothing loaded: the shell starts as fast as without. */
export async function clientOptions(configuration: Configuration | undefined, env: NodeJS.ProcessEnv): Promise<ClientOptions> {
  const given = rows.flatMap((row) => {
    const found = valueOf(row, configuration, env)
    return found ? [{ row, ...found }] : []
  })
  const options: Record<string, unknown> = {}
  if (configuration?.get(`${replace}.enable`) === 'false') options['replaceDatanode'] = 'never'
  if (given.length === 0) return options
  const { parseOption } = await import('../../common/option-values.ts')
  for (const { row, text, place } of given) options[row.target] = parseOption(row.name, text, place)
  return options
}

function valueOf({ name, hadoop }: Row, configuration: Configuration | undefined, env: NodeJS.ProcessEnv) {
  const own = configuration?.get(name)
  if (own !== undefined) return { text: own, place: `-D ${name}` }
  const theirs = hadoop && configuration?.get(hadoop.key)
  if (hadoop && theirs !== undefined) return { text: hadoop.translate(theirs), place: `-D ${hadoop.key}` }
  const variable = `QUARRY_${name.toUpperCase().replaceAll('.', '_')}`
  const text = env[variable]
  return text === undefined ? undefined : { text, place: variable }
}
