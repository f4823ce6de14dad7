// The command line of the balancer: HDFS's flags, each also with two dashes.
import { readFileSync } from 'node:fs'

export interface BalancerOptions {
  /** Points of percent that a datanode may be away from the average. */
  readonly threshold: number
  /** Iterations in a row that may move nothing; -1: no limit. */
  readonly idleIterations: number
  /** Hosts, addresses or host:port; empty: all. */
  readonly include: ReadonlySet<string>
  readonly exclude: ReadonlySet<string>
  readonly source: ReadonlySet<string>
  /** Bytes a second for each datanode; undefined: as it is. */
  readonly bandwidth: number | undefined
  readonly json: boolean
}

export type ParsedBalancer =
  | { readonly kind: 'run'; readonly options: BalancerOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }

/** HDFS's defaults. */
const defaultThreshold = 10
const defaultIdleIterations = 5
const thresholdMin = 1
const thresholdMax = 100

export const balancerUsage = `Usage: hdfs balancer
\t[-policy <policy>]\tthe balancing policy: datanode or blockpool
\t[-threshold <threshold>]\tPercentage of disk capacity
\t[-exclude [-f <hosts-file> | <comma-separated list of hosts>]]\tExcludes the specified datanodes.
\t[-include [-f <hosts-file> | <comma-separated list of hosts>]]\tIncludes only the specified datanodes.
\t[-source [-f <hosts-file> | <comma-separated list of hosts>]]\tPick only the specified datanodes as source nodes.
\t[-idleiterations <idleiterations>]\tNumber of consecutive idle iterations (-1 for Infinite) before exit.
\t[-runDuringUpgrade]\tAccepted and without effect: Quarry has no state of upgrading.
\t[-sortTopNodes]\tAccepted: the fullest datanodes always come first.
\t[-bandwidth <bytes per second>]\tWhat each datanode may send, as dfsadmin -setBalancerBandwidth; stays until it is set again.
\t[-json]\tOne JSON object a line in place of the table.

Flags may have one dash or two. Ctrl-C stops at once and harms nothing: moves under way end by themselves, and a replica is
removed only after its copy stands. Exit codes: 0 balanced, 255 (-1) another balancer runs, or a wrong command line,
254 (-2) no block can be moved, 253 (-3) nothing was moved in -idleiterations, 252 (-4) a call failed, 130 interrupted.
`

const refused: Readonly<Record<string, string>> = {
  asService: 'Quarry has no balancer that stays: run it from a timer.',
  blockpools: 'A cluster of Quarry has one block pool: leave it out.',
  hotBlockTimeInterval: 'The namenode does not know which blocks are hot: leave it out.',
}

class WrongArguments extends Error {}

export function parseBalancer(words: readonly string[], json = false): ParsedBalancer {
  try {
    return parse(words, json)
  } catch (error) {
    if (error instanceof WrongArguments) return { kind: 'wrong', message: error.message }
    throw error
  }
}

function parse(words: readonly string[], json: boolean): ParsedBalancer {
  let threshold = defaultThreshold
  let idleIterations = defaultIdleIterations
  let bandwidth: number | undefined
  const hosts = { include: new Set<string>(), exclude: new Set<string>(), source: new Set<string>() }
  let asJson = json
  const rest = [...words]
  const value = (name: string): string => {
    const next = rest.shift()
    if (next === undefined) throw new WrongArguments(`${name} value is missing: args = [${words.join(', ')}]`)
    return next
  }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const name = word.replace(/^--?/, '').replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    switch (word.startsWith('-') ? name.toLowerCase() : '') {
      case 'help':
      case 'h':
        return { kind: 'help' }
      case 'threshold':
        threshold = thresholdOf(value('Threshold'))
        break
      case 'policy':
        checkPolicy(value('Policy'))
        break
      case 'include':
      case 'exclude':
      case 'source':
        for (const host of hostList(name, value)) hosts[name as keyof typeof hosts].add(host)
        break
      case 'idleiterations':
        idleIterations = wholeNumber('idleiterations', value('idleiterations'))
        break
      case 'bandwidth':
        bandwidth = bandwidthOf(value('bandwidth'))
        break
      case 'json':
        asJson = true
        break
      case 'runduringupgrade':
      case 'sorttopnodes':
        break
      default:
        throw new WrongArguments(Object.hasOwn(refused, name) ? `${word}: ${refused[name]}` : `Unknown argument ${word}`)
    }
  }
  if (hosts.include.size > 0 && hosts.exclude.size > 0)
    throw new WrongArguments('-exclude and -include options cannot be specified together.')
  return { kind: 'run', options: { threshold, idleIterations, bandwidth, json: asJson, ...hosts } }
}

function thresholdOf(text: string): number {
  const threshold = text.trim() === '' ? Number.NaN : Number(text)
  if (!(threshold >= thresholdMin && threshold <= thresholdMax))
    throw new WrongArguments(`Expecting a number in the range of [1.0, 100.0]: ${text}`)
  return threshold
}

/** With one block pool both of HDFS's policies mean the same. */
function checkPolicy(name: string): void {
  if (!['datanode', 'blockpool'].includes(name.toLowerCase())) throw new WrongArguments(`Illegal policy name: ${name}`)
}

function hostList(name: string, value: (name: string) => string): string[] {
  const first = value(`List of ${name} nodes | -f <filename>`)
  if (first !== '-f') return split(first, /,/)
  const file = value(`File containing ${name} nodes`)
  try {
    return split(readFileSync(file, 'utf8').replaceAll(/#.*$/gm, ''), /[\s,]+/)
  } catch (error) {
    throw new WrongArguments(
      `Failed to read ${name} node list from file: ${file}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

const split = (text: string, at: RegExp): string[] =>
  text
    .split(at)
    .map((host) => host.trim())
    .filter((host) => host !== '')

function wholeNumber(name: string, text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new WrongArguments(`${name} is "${text}"; expected a whole number`)
  return Number(text)
}

const scales = 'kmgt'

function bandwidthOf(text: string): number {
  const match = /^(\d{1,15})([kmgt]?)$/i.exec(text)
  if (!match || Number(match[1]) === 0)
    throw new WrongArguments(`bandwidth is "${text}"; expected bytes a second, such as 104857600 or 100m`)
  return Number(match[1]) * 1024 ** (scales.indexOf((match[2] as string).toLowerCase()) + (match[2] === '' ? 0 : 1))
}
