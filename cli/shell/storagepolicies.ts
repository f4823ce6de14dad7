// `hdfs storagepolicies`: its options, texts and exit codes (1 wrong command line, 2 failed).
import type { FileSystem, StoragePolicy } from '../../client/index.ts'
import { isQuarryError, QuarryError } from '../../common/errors.ts'
import { describeFailure } from './errors.ts'
import type { ShellStreams } from './shell.ts'
import { genericUsage } from './usage.ts'

export interface PoliciesOptions {
  readonly streams: ShellStreams
  readonly connect: () => Promise<FileSystem>
}

interface PolicyVerb {
  readonly usage: string
  readonly help: string
  /** What must be given, and what is said where it is not. */
  readonly required: Readonly<Record<string, string>>
  readonly run: (fs: FileSystem, given: Readonly<Record<string, string>>) => Promise<string>
}

const exitUsage = 1
const exitFailure = 2

const text = ({ id, name, types, creationFallbacks, replicationFallbacks }: StoragePolicy): string =>
  `BlockStoragePolicy{${name}:${id}, storageTypes=[${types.join(', ')}], creationFallbacks=[${creationFallbacks.join(', ')}], replicationFallbacks=[${replicationFallbacks.join(', ')}]}`

const verbs: Readonly<Record<string, PolicyVerb>> = {
  '-listPolicies': {
    usage: '',
    help: 'List all the existing block storage policies.',
    required: {},
    run: async (fs) => `Block Storage Policies:\n${(await fs.storagePolicies()).map((one) => `\t${text(one)}\n`).join('')}`,
  },
  '-setStoragePolicy': {
    usage: ' -path <path> -policy <policy>',
    help: 'Set the storage policy to a file/directory.\n\n<path>    The path of the file/directory to set storage policy \n<policy>  The name of the block storage policy                 ',
    required: { '-path': 'Please specify the path for setting the storage policy.', '-policy': 'Please specify the policy name.' },
    run: async (fs, { '-path': path = '', '-policy': policy = '' }) => {
      await fs.setStoragePolicy(path, policy)
      return `Set storage policy ${policy} on ${path}\n`
    },
  },
  '-getStoragePolicy': {
    usage: ' -path <path>',
    help: 'Get the storage policy of a file/directory.\n\n<path>  The path of the file/directory for getting the storage policy ',
    required: { '-path': 'Please specify the path with -path.' },
    run: async (fs, { '-path': path = '' }) => {
      const { storagePolicy } = await fs.stat(path)
      if (storagePolicy === 0) return `The storage policy of ${path} is unspecified\n`
      return `The storage policy of ${path}:\n${text(await fs.storagePolicy(path))}\n`
    },
  },
  '-unsetStoragePolicy': {
    usage: ' -path <path>',
    help: 'Unset the storage policy set for a file/directory.\n\n<path>  The path of the file/directory from which the storage policy will be   \n        unset.                                                                 ',
    required: { '-path': 'Please specify the path from which the storage policy will be unset.' },
    run: async (fs, { '-path': path = '' }) => {
      await fs.setStoragePolicy(path, undefined)
      return `Unset storage policy from ${path}\n`
    },
  },
  '-satisfyStoragePolicy': {
    usage: ' -path <path>',
    help: 'Schedule blocks to move based on file/directory policy.\n\n<path>  The path of the file/directory to satisfy storage policy ',
    required: { '-path': 'Please specify the path for setting the storage policy.' },
    run: async () => {
      throw new QuarryError(
        'REFUSED',
        'Cannot request to satisfy storage policy when storage policy satisfier feature has been disabled by admin. Seek for an admin help to enable it or use Mover tool.',
      )
    },
  },
}

const shortUsage = (name: string): string => `[${name}${verbs[name]?.usage ?? ''}]`
const longUsage = (name: string): string => `${shortUsage(name)}\n\n${verbs[name]?.help ?? ''}\n`

export async function runStoragePolicies(words: readonly string[], options: PoliciesOptions): Promise<number> {
  const { out, err } = options.streams
  const [name, ...args] = words
  if (name === '-help') return help(args[0], options)
  const verb = name === undefined ? undefined : verbs[name]
  if (name === undefined || verb === undefined) {
    await err.write(`${name === undefined ? '' : `Can't understand command '${name}'\n`}${toolUsage()}`)
    return exitUsage
  }
  const given: Record<string, string> = {}
  for (const [option, complaint] of Object.entries(verb.required)) {
    const at = args.indexOf(option)
    const value = at < 0 ? undefined : args[at + 1]
    if (value === undefined) {
      await err.write(`${complaint}\nUsage: ${longUsage(name)}\n`)
      return exitUsage
    }
    given[option] = value
  }
  try {
    await using fs = await options.connect()
    await out.write(await verb.run(fs, given))
    return 0
  } catch (error) {
    await err.write(`${complaintOf(error, name, given['-path'] ?? '')}\n`)
    return exitFailure
  }
}

/** Hadoop puts the class of the failure before its message, but where it looks for the path itself. */
function complaintOf(error: unknown, name: string, path: string): string {
  const { message } = describeFailure(error)
  if (!isQuarryError(error)) return message
  if (error.code === 'NOT_FOUND') {
    const text = `File/Directory does not exist: ${path}`
    return name === '-getStoragePolicy' ? text : `FileNotFoundException: ${text}`
  }
  return error.code === 'PERMISSION_DENIED' ? `AccessControlException: ${message}` : `RemoteException: ${message}`
}

async function help(name: string | undefined, { streams }: PoliciesOptions): Promise<number> {
  if (name === undefined) {
    await streams.err.write(
      Object.keys(verbs)
        .map((one) => `${longUsage(one)}\n`)
        .join(''),
    )
    return exitUsage
  }
  const wanted = name.startsWith('-') ? name : `-${name}`
  if (verbs[wanted] === undefined) {
    await streams.err.write(`Unknown command ${name}\n${toolUsage()}`)
    return exitUsage
  }
  await streams.out.write(longUsage(wanted))
  return 0
}

const toolUsage = (): string =>
  `Usage: bin/hdfs storagepolicies [COMMAND]\n${[...Object.keys(verbs).map(shortUsage), '[-help <command-name>]'].map((one) => `          ${one}\n`).join('')}\n${genericUsage}`
