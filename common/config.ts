// Settings of a process, checked once at its start. The table of options.ts says what there is; this file reads the values from
// where they may stand and refuses what cannot be meant.
//
// Precedence: flag (-D name=value) > environment (QUARRY_NAME) > file > default. A file holds `name = value` lines; `#` begins a
// comment line. Sizes take k, m, g, t (powers of 1024), durations ms, s, m, h, d; lists are comma-separated, or JSON arrays when a
// value itself holds a comma. An unknown name, an empty value, a wrong type or a value out of bounds stops the process with
// CONFIG: a setting that is silently ignored is worse than a start that fails.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import path from 'node:path'
import { QuarryError } from './errors.ts'
import { nearestName } from './nearest-name.ts'
import { bounded, formatValue, parseOption, type OptionValue } from './option-values.ts'
import { envNameOf, optionNames, options, type OptionName, type OptionRole, type Settings } from './options.ts'

export interface SettingsInput {
  readonly file?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Option name -> text, as given by -D or by a command's own flags. */
  readonly flags?: Readonly<Record<string, string>> | undefined
  readonly role: OptionRole
}

/** QUARRY_… variables that are not options: read by the CLI, the tests and the benchmarks. */
const otherVariables = new Set(['QUARRY_DEBUG', 'QUARRY_FS', 'QUARRY_HDFS_PEER', 'QUARRY_LOG_FILE'])
const otherPrefixes = ['QUARRY_TEST_', 'QUARRY_BENCH_']
const logLevels = ['error', 'warn', 'info', 'debug']

type Values = { [K in OptionName]?: OptionValue }

/** Reads, parses and checks the settings of a process. Throws CONFIG with the place, the value and what would be right. */
export function loadSettings(input: SettingsInput): Settings {
  const given: Values = {}
  if (input.file !== undefined) {
    for (const line of parseSettingsText(readConfigFile(input.file), input.file))
      given[line.name] = parseOption(line.name, line.value, line.place)
  }
  for (const [variable, value] of Object.entries(input.env ?? {})) {
    const name = optionOfVariable(variable)
    if (name !== undefined && value !== undefined) given[name] = parseOption(name, value, variable)
  }
  for (const [name, value] of Object.entries(input.flags ?? {})) {
    const known = knownOption(name, `-D ${name}`)
    given[known] = parseOption(known, value, `-D ${name}`)
  }
  const settings = derive(defaultSettings(given as Partial<Settings>), given)
  checkSettings(settings)
  checkRole(settings, input.role)
  return settings
}

/** The defaults with some values replaced. Unchecked: for code and tests that know what they set. */
export function defaultSettings(overrides: Partial<Settings> = {}): Settings {
  const values: Record<string, OptionValue> = {}
  for (const name of optionNames) values[name] = overrides[name] ?? options[name].default
  return values as unknown as Settings
}

/** Turns `-D name=value` texts into flags for loadSettings. */
export function parseDefinitions(definitions: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {}
  for (const definition of definitions) {
    const equals = definition.indexOf('=')
    if (equals <= 0) throw new QuarryError('CONFIG', `-D ${definition}: write -D option=value, such as -D replication=2`)
    flags[definition.slice(0, equals).trim()] = definition.slice(equals + 1).trim()
  }
  return flags
}

/** The lines of a settings file that set something. Throws CONFIG with file and line. */
export function parseSettingsText(
  text: string,
  file: string,
): { readonly name: OptionName; readonly value: string; readonly place: string }[] {
  const lines: { name: OptionName; value: string; place: string }[] = []
  const firstPlace = new Map<OptionName, string>()
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    const place = `${file}:${index + 1}`
    if (line === '' || line.startsWith('#')) continue
    const equals = line.indexOf('=')
    if (equals <= 0) throw new QuarryError('CONFIG', `${place}: expected "name = value", found "${line.slice(0, 60)}"`)
    const name = knownOption(line.slice(0, equals).trim(), place)
    const earlier = firstPlace.get(name)
    if (earlier !== undefined) throw new QuarryError('CONFIG', `${place}: ${name} is already set at ${earlier}; keep one of them`)
    firstPlace.set(name, place)
    lines.push({ name, value: line.slice(equals + 1).trim(), place })
  }
  return lines
}

/** The text of a settings file with what differs from the defaults, or would else be derived; reads back to the same settings. */
export function formatSettings(settings: Settings): string {
  return optionNames
    .filter((name) => derivedNames.has(name) || JSON.stringify(settings[name]) !== JSON.stringify(options[name].default))
    .filter((name) => formatValue(name, settings[name]) !== '')
    .map((name) => `${name} = ${formatValue(name, settings[name])}\n`)
    .join('')
}

/** The environment without the variables that are options: for child processes whose settings are handed over in a file. */
export function withoutOptionVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const optionVariables = new Set(optionNames.map(envNameOf))
  return Object.fromEntries(Object.entries(env).filter(([name]) => !optionVariables.has(name)))
}

/** Checks that hold between options, and the ones that a bound cannot express. Throws CONFIG. */
export function checkSettings(settings: Settings): void {
  const refuse = (message: string): never => {
    throw new QuarryError('CONFIG', message)
  }
  for (const name of optionNames) {
    const value = settings[name]
    if (typeof value === 'number') bounded(name, value, name)
  }
  const show = (name: OptionName) => `${name} (${formatValue(name, settings[name])})`
  const notAbove = (small: OptionName, large: OptionName) => {
    if ((settings[small] as number) > (settings[large] as number)) refuse(`${show(small)} must not be larger than ${show(large)}`)
  }
  notAbove('replication.min', 'replication')
  notAbove('min.block.size', 'block.size')
  notAbove('lease.soft', 'lease.hard')
  notAbove('stale.after', 'dead.after')
  notAbove('trash.checkpoint.interval', 'trash.interval')
  if (settings['block.size'] % 512 !== 0) refuse(`${show('block.size')} must be a multiple of 512, the bytes under one checksum`)
  if (settings['dead.after'] < 2 * settings['heartbeat.interval']) {
    refuse(`${show('dead.after')} must be at least twice ${show('heartbeat.interval')}, or one late heartbeat declares a datanode dead`)
  }
  const threshold = Number(settings['safemode.threshold'])
  if (!(threshold >= 0 && threshold <= 1)) refuse(`${show('safemode.threshold')} must be a share from 0 to 1`)
  if (!logLevels.includes(settings['log.level'])) refuse(`${show('log.level')} must be one of ${logLevels.join(', ')}`)
  if (!/^(\/[^/\s]+)+$/.test(settings['rack'])) refuse(`${show('rack')} must be a path such as /default-rack or /room1/rack2`)
  if (settings['namenode'] !== '') parseNamenodeUri(settings['namenode'])
  if (!settings['insecure'] && !isLoopback(settings['bind'])) {
    refuse(
      `refusing to listen on ${settings['bind']}: nothing authenticates callers yet, so everyone who reaches the port could read and delete everything. ` +
        'Use bind = 127.0.0.1, or set insecure = true (--insecure) on a network you trust',
    )
  }
}

/** Host and port of quarry://host:port. Throws CONFIG. */
export function parseNamenodeUri(uri: string): { readonly host: string; readonly port: number } {
  const match = /^quarry:\/\/(\[[0-9a-fA-F:.]+\]|[^/:@\s]+):(\d{1,5})\/?$/.exec(uri)
  const port = Number(match?.[2])
  if (match === null || port < 1 || port > 65_535)
    throw new QuarryError(
      'CONFIG',
      `"${uri}" is not the address of a namenode; expected quarry://host:port, such as quarry://127.0.0.1:8021`,
    )
  return { host: (match[1] as string).replace(/^\[|\]$/g, ''), port }
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new QuarryError(
      'CONFIG',
      `cannot read the configuration file ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      {},
      { cause: error },
    )
  }
}

function knownOption(name: string, place: string): OptionName {
  if (Object.hasOwn(options, name)) return name as OptionName
  const nearest = nearestName(name, optionNames)
  throw new QuarryError(
    'CONFIG',
    `${place}: there is no option "${name}"; ${nearest === undefined ? 'docs/settings.md lists them all' : `did you mean ${nearest}?`}`,
  )
}

const optionByVariable = new Map(optionNames.map((name) => [envNameOf(name), name]))

function optionOfVariable(variable: string): OptionName | undefined {
  if (!variable.startsWith('QUARRY_') || otherVariables.has(variable) || otherPrefixes.some((prefix) => variable.startsWith(prefix)))
    return undefined
  const name = optionByVariable.get(variable)
  if (name !== undefined) return name
  const nearest = nearestName(variable.slice('QUARRY_'.length), optionNames)
  throw new QuarryError(
    'CONFIG',
    `environment variable ${variable}: there is no such option; ${nearest === undefined ? 'unset it' : `did you mean ${envNameOf(nearest as OptionName)}?`}`,
  )
}

/** Options whose default follows from values that were given. */
const derivedNames: ReadonlySet<OptionName> = new Set(['stale.after', 'min.block.size', 'replication.min', 'data.dirs'])

function derive(settings: Settings, given: Values): Settings {
  const derived: Values = {}
  // Who lowers dead.after (for a demo, a test) means a quick detection: staleness follows.
  if (given['stale.after'] === undefined)
    derived['stale.after'] = Math.min(
      settings['stale.after'],
      Math.max(options['stale.after'].min as number, Math.floor(settings['dead.after'] / 2)),
    )
  if (given['min.block.size'] === undefined) derived['min.block.size'] = Math.min(settings['min.block.size'], settings['block.size'])
  if (given['replication.min'] === undefined) derived['replication.min'] = Math.min(settings['replication.min'], settings['replication'])
  // Nobody can connect to "all addresses".
  if (given['advertise'] === undefined && ['0.0.0.0', '::'].includes(settings['bind'])) derived['advertise'] = hostname()
  if (given['data.dirs'] === undefined && settings['dir'] !== '') derived['data.dirs'] = [path.join(settings['dir'], 'data')]
  return { ...settings, ...derived } as Settings
}

function checkRole(settings: Settings, role: OptionRole): void {
  if ((role === 'namenode' || role === 'datanode') && settings['dir'] === '') {
    throw new QuarryError('CONFIG', `a ${role} needs a directory: set dir = /path in the configuration file, QUARRY_DIR, or -D dir=/path`)
  }
  if (role === 'datanode' && settings['namenode'] === '') {
    throw new QuarryError(
      'CONFIG',
      'a datanode needs its namenode: set namenode = quarry://host:port in the configuration file, QUARRY_NAMENODE, or -D namenode=…',
    )
  }
}
