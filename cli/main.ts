// The program: finds the command, loads it and nothing else, and turns what it throws into a line and an exit code.
//
// Start-up time is felt with every `quarry ls`, so no package is imported here; commander comes with the commands that use it.
import { QuarryError } from '../common/errors.ts'
import { exitCodes, reportFailure } from './output/errors.ts'
import { commandNames, directCommands, programHelp, registeredCommands } from './program.ts'
import type { GlobalOptions } from './program.ts'
import { plainVerbs } from './shell/plain-verbs.ts'

/** Hadoop's exit code for a wrong command line. */
const hadoopUsage = 255

interface Invocation {
  readonly globals: GlobalOptions
  readonly command: string | undefined
  readonly words: readonly string[]
}

function readGlobals(argv: readonly string[]): Invocation {
  const globals: { fs?: string; user?: string; json?: boolean } = {}
  let at = 0
  for (; at < argv.length; at++) {
    const [name, given] = splitOnce(argv[at] as string)
    if (name === '--json') globals.json = true
    else if (name === '--fs' || name === '--user') {
      const value = given ?? argv[++at]
      if (value === undefined) throw new QuarryError('INVALID_ARGUMENT', `${name} needs a value; see: quarry --help`)
      globals[name === '--fs' ? 'fs' : 'user'] = value
    } else break
  }
  return { globals, command: argv[at], words: argv.slice(at + 1) }
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=')
  return word.startsWith('--') && at > 0 ? [word.slice(0, at), word.slice(at + 1)] : [word, undefined]
}

async function main(argv: readonly string[]): Promise<number | undefined> {
  const { globals, command, words } = readGlobals(argv)
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') return showHelp(command, words)
  if (command === '--version' || command === '-V') {
    const { programVersion } = await import('./version.ts')
    process.stdout.write(`${programVersion()}\n`)
    return 0
  }
  const direct = Object.hasOwn(directCommands, command) ? directCommands[command] : undefined
  if (direct) return runDirect(direct, words, globals)
  if (Object.hasOwn(plainVerbs, command)) return (await import('./commands/verbs.ts')).run(command, words, globals)
  if (Object.hasOwn(registeredCommands, command)) return runRegistered(command, words, globals)
  throw await unknownCommand(command)
}

/** Hadoop's commands answer 255 where the others answer 2. */
async function runDirect(command: (typeof directCommands)[string], words: readonly string[], globals: GlobalOptions): Promise<number> {
  try {
    return await (await command.load()).run(words, globals)
  } catch (error) {
    const code = reportFailure(error, { json: globals.json ?? false })
    return code === exitCodes.usage ? hadoopUsage : code
  }
}

async function showHelp(command: string | undefined, words: readonly string[]): Promise<number | undefined> {
  const [name] = words
  if (name !== undefined && name !== 'help') return main([name, '--help'])
  const stream = command === undefined ? process.stderr : process.stdout
  stream.write(programHelp())
  return command === undefined ? 2 : 0
}

/** Commander parses this command alone; it sets process.exitCode itself, and keeps running where the command does. */
async function runRegistered(name: string, words: readonly string[], globals: GlobalOptions): Promise<undefined> {
  const [{ Command, CommanderError }, { register }] = await Promise.all([import('commander'), registeredCommands[name]!.load()])
  const program = new Command('quarry').option('--fs <uri>').option('--user <name>').option('--json').exitOverride()
  program.configureOutput({ writeErr: (text) => process.stderr.write(text.replace(/^error: /, 'quarry: ').replace('\n(Did', ' (Did')) })
  register(program)
  for (const child of program.commands) inherit(child)
  const leading = [
    ...(globals.fs ? ['--fs', globals.fs] : []),
    ...(globals.user ? ['--user', globals.user] : []),
    ...(globals.json ? ['--json'] : []),
  ]
  try {
    await program.parseAsync([...leading, name, ...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : 2
  }
}

/** Commander's settings do not reach commands that were added whole. */
function inherit(command: import('commander').Command): void {
  const { parent } = command
  if (parent) command.copyInheritedSettings(parent)
  for (const child of command.commands) inherit(child)
}

async function unknownCommand(command: string): Promise<QuarryError> {
  const { nearestName } = await import('../common/nearest-name.ts')
  const wanted = command.replace(/^-+/, '')
  const near = nearestName(wanted, commandNames())
  const hint = near === undefined ? '' : `did you mean ${near}? `
  return new QuarryError(
    'INVALID_ARGUMENT',
    `unknown ${command.startsWith('-') ? 'option' : 'command'} ${command}; ${hint}see: quarry --help`,
  )
}

/** No await at the top level: the bundle is CommonJS, for the sake of a code cache (scripts/build.mjs). */
async function start(argv: readonly string[]): Promise<void> {
  try {
    const code = await main(argv)
    if (code !== undefined) {
      process.exitCode = code
      // What is open by now (a connection that lingers) must not keep a finished command alive.
      await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
      process.exit()
    }
  } catch (error) {
    process.exitCode = reportFailure(error, { json: argv.includes('--json') })
    process.exit()
  }
}

void start(process.argv.slice(2))
