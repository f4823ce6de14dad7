// The file system verbs without ceremony: `quarry ls -l /data`, `quarry put a.csv /data/`. They are the verbs of `quarry dfs` under
// GNU flags: short flags may be joined, long ones may carry `=value`, flags may stand behind paths, sizes are for people.
import { QuarryError } from '../../common/errors.ts'
import type { GlobalOptions } from '../program.ts'
import { exitCodes } from '../output/errors.ts'
import { Configuration } from '../shell/configuration.ts'
import { plainVerbs } from '../shell/plain-verbs.ts'
import type { PlainFlag, PlainVerb } from '../shell/plain-verbs.ts'

/** Flags of every verb. */
const commonFlags: readonly PlainFlag[] = [
  { long: 'fs', value: 'URI', doc: 'the cluster (default: $QUARRY_FS, else the one of ~/.quarry)' },
  { long: 'user', value: 'NAME', doc: 'who asks (default: $HADOOP_USER_NAME, else you)' },
  { long: 'json', doc: 'one JSON object a line' },
  { long: 'help', doc: 'this text' },
]

interface PlainCommand {
  readonly words: readonly string[]
  readonly settings: Configuration
  readonly globals: GlobalOptions
  readonly help: boolean
}

export async function run(name: string, words: readonly string[], globals: GlobalOptions): Promise<number> {
  const verb = plainVerbs[name] as PlainVerb
  const command = parse(name, verb, words, globals)
  if (command.help) {
    process.stdout.write(helpOf(name, verb))
    return exitCodes.ok
  }
  return execute(name, verb, command)
}

async function execute(name: string, verb: PlainVerb, command: PlainCommand): Promise<number> {
  const [{ Shell }, { verbs }, { connectShell }, { processStreams }] = await Promise.all([
    import('../shell/shell.ts'),
    import('../shell/registry.ts'),
    import('../shell/connect.ts'),
    import('../output/streams.ts'),
  ])
  const streams = processStreams()
  const { globals } = command
  const shell = new Shell({
    streams,
    configuration: command.settings,
    connect: (uri, configuration) => connectShell({ ...globals, fs: uri ?? globals.fs }, configuration),
    style: 'plain',
    json: globals.json ?? false,
  })
  const entry = verbs[verb.verb]
  if (!entry) throw new QuarryError('INTERNAL', `no verb ${verb.verb}`)
  try {
    const Loaded = await entry.load()
    return await new Loaded(shell, name === verb.verb ? name : verb.verb).run(command.words)
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'UsageError') throw error
    throw new QuarryError('INVALID_ARGUMENT', `${name}: ${error.message}; see: quarry ${name} --help`)
  } finally {
    await streams.out.flush()
    await shell.close()
  }
}

/** Turns GNU flags into the words of Hadoop's verb. */
function parse(name: string, verb: PlainVerb, words: readonly string[], outer: GlobalOptions): PlainCommand {
  const flags = [...verb.flags, ...commonFlags]
  const settings = new Configuration()
  const own: Record<string, string | boolean> = {}
  const out: string[] = []
  const paths: string[] = []
  const queue = [...words]
  const take = (flag: PlainFlag, shown: string, given: string | undefined): void => {
    const value = flag.value === undefined ? '' : (given ?? queue.shift())
    if (value === undefined) throw usage(name, `${shown} needs a value (${flag.value})`)
    if (flag.value === undefined && given !== undefined) throw usage(name, `${shown} takes no value`)
    if (flag.setting !== undefined) settings.set(flag.setting, value)
    else if (commonFlags.includes(flag)) own[flag.long] = flag.value === undefined ? true : value
    else out.push(...(flag.words ?? (() => []))(value))
  }
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      paths.push(...queue.splice(0))
    } else if (verb.passThrough && word.startsWith('-') && !/^--(fs|user|json|help)(=|$)/.test(word)) {
      paths.push(word)
    } else if (word.startsWith('--')) {
      const at = word.indexOf('=')
      const long = at < 0 ? word.slice(2) : word.slice(2, at)
      const flag = flags.find((candidate) => candidate.long === long)
      if (!flag) throw usage(name, `unknown option --${long}`)
      take(flag, `--${long}`, at < 0 ? undefined : word.slice(at + 1))
    } else if (/^-[a-zA-Z0-9]/.test(word) && !verb.paths?.test(word)) {
      for (const [index, letter] of [...word.slice(1)].entries()) {
        const flag = flags.find((candidate) => candidate.short === letter)
        if (!flag) throw usage(name, `unknown option -${letter}`)
        const rest = word.slice(index + 2)
        take(flag, `-${letter}`, flag.value !== undefined && rest !== '' ? rest : undefined)
        if (flag.value !== undefined) break
      }
    } else {
      paths.push(word)
    }
  }
  const globals: GlobalOptions = {
    fs: (own['fs'] as string | undefined) ?? outer.fs,
    user: (own['user'] as string | undefined) ?? outer.user,
    json: own['json'] === true || outer.json,
  }
  return { words: arrange(verb, out, paths), settings, globals, help: own['help'] === true }
}

/** Flags first, then `--` where a path could be taken for one. */
function arrange(verb: PlainVerb, chosen: readonly string[], paths: readonly string[]): readonly string[] {
  if (verb.passThrough) return paths
  const flags = [...(verb.defaults ?? []).filter((word) => !chosen.includes(`!${word}`)), ...chosen.filter((word) => !word.startsWith('!'))]
  return paths.some((path) => path.startsWith('-') && path !== '-') ? [...flags, '--', ...paths] : [...flags, ...paths]
}

function usage(name: string, problem: string): QuarryError {
  return new QuarryError('INVALID_ARGUMENT', `${name}: ${problem}; see: quarry ${name} --help`)
}

function helpOf(name: string, verb: PlainVerb): string {
  const rows = [...verb.flags, ...commonFlags].map((flag) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `
    return [`  ${short}--${flag.long}${flag.value === undefined ? '' : ` ${flag.value}`}`, flag.doc] as const
  })
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return [
    `usage: quarry ${name} ${verb.usage}`,
    '',
    verb.doc,
    '',
    ...rows.map(([left, doc]) => left.padEnd(width) + doc),
    '',
    'examples:',
    ...verb.examples.map((example) => `  quarry ${name} ${example}`),
    '',
    'exit codes: 0 done, 1 something failed, 2 wrong command line, 130 interrupted',
    '',
  ].join('\n')
}
