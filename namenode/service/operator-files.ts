// What operators keep outside of the namenode's own records: lists of hosts, the map of racks or a program that knows them, and a folder
// for what they ask to be written down. The core sees only the results.
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Logger } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import type { Settings } from '../../common/options.ts'
import type { DatanodeId } from '../../proto/ports.ts'
import type { HostLists } from '../core/cluster/hosts-lists.ts'
import { namesOf, parseHosts } from '../core/cluster/hosts-lists.ts'

/** A topology program that takes longer is ended, in ms: a datanode waits for its answer before it may join. */
const scriptWithinMs = 10_000
/** HDFS's rack of hosts that nobody has placed. */
const defaultRack = '/default-rack'
const scriptOutputMax = 64 * 1024
/** Hosts whose rack is remembered; above it the oldest are asked for again. */
const racksMax = 100_000
/** What people may call a file in the log folder: no way out of it. */
const plainName = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

export interface OperatorFiles {
  /** Reads hosts.include and hosts.exclude anew. Throws CONFIG when one is named and cannot be read. */
  hostLists(): Promise<HostLists>
  /** The rack of a datanode; undefined = the one that it names itself. Never throws. */
  rackOf(datanode: DatanodeId): Promise<string | undefined>
  /** Writes a text into the log folder under a plain name and answers its path. */
  save(name: string, text: string): Promise<string>
}

/** Throws CONFIG when the settings cannot be meant. */
export function operatorFiles(settings: Settings, log: Logger): OperatorFiles {
  const map = parseMap(settings['topology.map'])
  const script = settings['topology.script']
  const byScript = new Map<string, Promise<string>>()
  return {
    async hostLists() {
      const [include, exclude] = await Promise.all([
        readHosts('hosts.include', settings['hosts.include']),
        readHosts('hosts.exclude', settings['hosts.exclude']),
      ])
      return { include, exclude }
    },
    async rackOf(datanode) {
      if (script === '') return namesOf(datanode).flatMap((name) => map.get(name) ?? [])[0]
      const known = byScript.get(datanode.ip)
      if (known !== undefined) return known
      const asked = askScript(script, datanode.ip).catch((error: Error) => {
        log.warn('topology.script.failed', { script, address: datanode.ip, message: error.message, rack: defaultRack })
        // The next registration asks again: a program that fails once may be right later.
        byScript.delete(datanode.ip)
        return defaultRack
      })
      if (byScript.size >= racksMax) byScript.delete(byScript.keys().next().value ?? '')
      byScript.set(datanode.ip, asked)
      return asked
    },
    async save(name, text) {
      if (!plainName.test(name)) {
        throw new QuarryError(
          'INVALID_ARGUMENT',
          `'${name}' is not a plain file name: use letters, digits, '.', '_' and '-', and no folder. It is written to the log folder of the namenode.`,
        )
      }
      const folder = path.join(settings['dir'], 'log')
      await mkdir(folder, { recursive: true })
      const file = path.join(folder, name)
      await writeFile(file, text)
      return file
    },
  }
}

async function readHosts(option: string, file: string): Promise<string[]> {
  if (file === '') return []
  try {
    return parseHosts(await readFile(file, 'utf8'))
  } catch (error) {
    throw new QuarryError('CONFIG', `The file of ${option} cannot be read: ${(error as Error).message}`, { file })
  }
}

function parseMap(entries: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const entry of entries) {
    const at = entry.lastIndexOf('=')
    const [host, rack] = [entry.slice(0, at).trim(), entry.slice(at + 1).trim()]
    if (at <= 0 || host === '' || !isRack(rack))
      throw new QuarryError('CONFIG', `topology.map: '${entry}' is not host=/rack, such as 10.0.0.7=/room1/rack3`)
    map.set(host, rack)
  }
  return map
}

async function askScript(script: string, address: string): Promise<string> {
  const { stdout } = await promisify(execFile)(script, [address], {
    timeout: scriptWithinMs,
    maxBuffer: scriptOutputMax,
    killSignal: 'SIGKILL',
  })
  const rack = stdout.trim().split(/\s+/)[0] ?? ''
  if (!isRack(rack)) throw new Error(`it printed ${JSON.stringify(rack)}, which is not a rack: a rack begins with '/'`)
  return rack
}

function isRack(rack: string): boolean {
  return /^(\/[^/\s]+)+$/.test(rack)
}
