// getfattr and setfattr. Their options may stand anywhere before `--`.
import { isQuarryError } from '../../../common/errors.ts'
import { ShellError, UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

const encodings: Readonly<Record<string, (value: Uint8Array) => string>> = {
  TEXT: (value) => `"${Buffer.from(value).toString('utf8')}"`,
  HEX: (value) => `0x${Buffer.from(value).toString('hex')}`,
  BASE64: (value) => `0s${Buffer.from(value).toString('base64')}`,
}

/** Takes an option out of the words. */
function pop(words: string[], option: string): boolean {
  const at = find(words, option)
  if (at >= 0) words.splice(at, 1)
  return at >= 0
}

function popWithArgument(words: string[], option: string): string | undefined {
  const at = find(words, option)
  if (at < 0) return undefined
  if (at === words.length - 1) throw new UsageError(`option ${option} requires 1 argument.`)
  return words.splice(at, 2)[1]
}

function find(words: readonly string[], option: string): number {
  const end = words.indexOf('--')
  const at = words.indexOf(option)
  return end >= 0 && at > end ? -1 : at
}

function onePath(words: readonly string[]): string[] {
  const paths = words.filter((word, at) => word !== '--' || at !== words.indexOf('--'))
  if (paths.length === 0) throw new UsageError('<path> is missing.')
  if (paths.length > 1) throw new UsageError('Too many arguments.')
  return paths
}

/** A name without a namespace is a wrong command line. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isQuarryError(error, 'INVALID_ARGUMENT') && error.message.includes('XAttr name')) throw new UsageError(error.message)
    throw error
  }
}

export class Getfattr extends Verb {
  #name: string | undefined
  #encode = encodings['TEXT']!

  protected options(words: string[]): string[] {
    this.#name = popWithArgument(words, '-n')
    const encoding = popWithArgument(words, '-e')
    const encode = encodings[(encoding ?? 'text').toUpperCase()]
    if (encode === undefined) throw new UsageError(`Invalid/unsupported encoding option specified: ${encoding}`)
    this.#encode = encode
    this.recursive = pop(words, '-R')
    const isDump = pop(words, '-d')
    if (!isDump && this.#name === undefined) throw new UsageError("Must specify '-n name' or '-d' option.")
    if (isDump) this.#name = undefined
    return onePath(words)
  }

  protected override async processPath(item: Item): Promise<void> {
    if (!this.shell.json) await this.print(`# file: ${item.text}`)
    if (!(item.store instanceof RemoteStore)) throw new ShellError('Extended attributes of local files are not shown.', 'UNSUPPORTED')
    const name = this.#name
    const { fs } = item.store
    const found = await named(() => fs.xattrs(item.path, name === undefined ? [] : [name]))
    // The name as it was given, where one was.
    const shown = [...found].map(([known, value]) => [name ?? known, value] as const)
    const lines = shown.map(([known, value]) => (value.length === 0 ? known : `${known}=${this.#encode(value)}`))
    if (this.shell.json)
      return this.print('', { path: item.path, xattrs: Object.fromEntries(shown.map(([known, value]) => [known, this.#encode(value)])) })
    for (const line of lines) await this.print(line)
  }
}

export class Setfattr extends Verb {
  #name = ''
  #value: Uint8Array | undefined

  protected options(words: string[]): string[] {
    const name = popWithArgument(words, '-n')
    const value = popWithArgument(words, '-v')
    const decoded = value === undefined ? new Uint8Array(0) : decode(value)
    const removed = popWithArgument(words, '-x')
    if (name !== undefined && removed !== undefined) throw new UsageError("Can not specify both '-n name' and '-x name' option.")
    if (name === undefined && removed === undefined) throw new UsageError("Must specify '-n name' or '-x name' option.")
    this.#name = name ?? (removed as string)
    this.#value = name === undefined ? undefined : decoded
    return onePath(words)
  }

  protected override async processPath(item: Item): Promise<void> {
    if (!(item.store instanceof RemoteStore)) throw new ShellError('Extended attributes of local files are not changed.', 'UNSUPPORTED')
    const { fs } = item.store
    const value = this.#value
    await named(() => (value === undefined ? fs.removeXAttr(item.path, this.#name) : fs.setXAttr(item.path, this.#name, value)))
  }
}

/** Text, "text", 0x and hexadecimal digits, or 0s and base64. */
function decode(value: string): Uint8Array {
  if (value.length >= 2 && value.startsWith('"') && value.endsWith('"')) return Buffer.from(value.slice(1, -1))
  const digits = value.slice(2)
  switch (value.slice(0, 2).toLowerCase()) {
    case '0x': {
      const wrong = /[^0-9a-f]/i.exec(digits)
      if (digits.length % 2 !== 0) throw new ShellError('org.apache.commons.codec.DecoderException: Odd number of characters.')
      if (wrong)
        throw new ShellError(`org.apache.commons.codec.DecoderException: Illegal hexadecimal character ${wrong[0]} at index ${wrong.index}`)
      return Buffer.from(digits, 'hex')
    }
    case '0s':
      return Buffer.from(digits, 'base64')
    default:
      return Buffer.from(value)
  }
}
