// How writers and readers behave when datanodes are lost, slow or silent: the client's settings of common/options.ts, filled in.
import { options } from '../common/options.ts'
import { QuarryError } from '../common/errors.ts'
import type { ConnectOptions } from './types.ts'
import type { ReplacementMode } from './writer/replacement-policy.ts'

export interface DataOptions {
  readonly replaceDatanode: ReplacementMode
  readonly replaceDatanodeBestEffort: boolean
  readonly datanodeRestartMs: number
  /** 0 = slow datanodes stay. */
  readonly slowDatanodeMs: number
  /** 0 = reads are not hedged. */
  readonly hedgedReadMs: number
  readonly ackTimeoutMs: number
  readonly readTimeoutMs: number
}

const modes: readonly string[] = ['default', 'always', 'never'] satisfies ReplacementMode[]

/** Throws INVALID_ARGUMENT for a value that cannot be. */
export function dataOptions(given: ConnectOptions = {}): DataOptions {
  const mode = given.replaceDatanode ?? options['replace.datanode'].default
  if (!modes.includes(mode))
    throw new QuarryError('INVALID_ARGUMENT', `replace.datanode is default, always or never, not "${mode}".`, {
      option: 'replace.datanode',
    })
  const ms = (name: 'ack.timeout' | 'read.timeout' | 'datanode.restart.timeout' | 'slow.datanode.threshold' | 'hedged.read.threshold') => {
    const value = given[givenAs[name]] ?? options[name].default
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = options[name]
    if (!(value >= min && value <= max))
      throw new QuarryError('INVALID_ARGUMENT', `${name} is from ${min} to ${max} ms, not ${value}.`, { option: name })
    return value
  }
  return {
    replaceDatanode: mode as ReplacementMode,
    replaceDatanodeBestEffort: given.replaceDatanodeBestEffort ?? options['replace.datanode.best.effort'].default,
    datanodeRestartMs: ms('datanode.restart.timeout'),
    slowDatanodeMs: ms('slow.datanode.threshold'),
    hedgedReadMs: ms('hedged.read.threshold'),
    ackTimeoutMs: ms('ack.timeout'),
    readTimeoutMs: ms('read.timeout'),
  }
}

const givenAs = {
  'ack.timeout': 'ackTimeoutMs',
  'read.timeout': 'readTimeoutMs',
  'datanode.restart.timeout': 'datanodeRestartTimeoutMs',
  'slow.datanode.threshold': 'slowDatanodeThresholdMs',
  'hedged.read.threshold': 'hedgedReadThresholdMs',
} as const
