// Hadoop's generic options, which stand before the verb: -fs URI, -D key=value, -conf FILE. Keys that mean nothing to Quarry are
// ignored, as Hadoop ignores those it does not know.
import { readFileSync } from 'node:fs'
import { QuarryError } from '../../common/errors.ts'
import { chunkBytes } from '../../common/limits.ts'

/** Options of Hadoop's generic parser that take a value and mean nothing to a file system. */
const ignoredOptions = new Set(['-jt', '-files', '-libjars', '-archives', '-tokenCacheFile'])

export class Configuration {
  readonly #values = new Map<string, string>()

  get(key: string): string | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: string): void {
    this.#values.set(key, value)
  }

  /** A whole number, with a binary suffix such as 64m. */
  bytes(key: string): number | undefined {
    const value = this.get(key)
    return value === undefined ? undefined : parseBytes(value, key)
  }

  int(key: string): number | undefined {
    const value = this.get(key)
    if (value === undefined) return undefined
    if (!/^\s*[+-]?\d+\s*$/.test(value)) throw invalid(key, value, 'a whole number')
    return Number(value)
  }

  number(key: string): number | undefined {
    const value = this.get(key)
    if (value === undefined) return undefined
    if (value.trim() === '' || Number.isNaN(Number(value))) throw invalid(key, value, 'a number')
    return Number(value)
  }

  /** The bits taken away from new files: octal, or symbolic, where clauses name what is *left*. */
  umask(): number | undefined {
    const value = this.get('fs.permissions.umask-mode')
    if (value === undefined) return undefined
    if (/^\s*[0-7]{1,4}\s*$/.test(value)) return Number.parseInt(value, 8) & 0o777
    throw invalid('fs.permissions.umask-mode', value, 'octal digits such as 022')
  }

  /** Refuses what would silently mean something else here. */
  check(): void {
    const chunk = this.bytes('dfs.bytes-per-checksum')
    if (chunk !== undefined && chunk !== chunkBytes) {
      throw new QuarryError(
        'UNSUPPORTED',
        `dfs.bytes-per-checksum=${chunk}: Quarry writes ${chunkBytes} bytes a checksum. Leave the option out.`,
      )
    }
  }

  /** Reads Hadoop's XML configuration: <property><name>…</name><value>…</value></property>. */
  load(file: string): void {
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (error) {
      throw new QuarryError(
        'CONFIG',
        `Cannot read the configuration file ${file}: ${error instanceof Error ? error.message : String(error)}`,
        { file },
      )
    }
    const plain = text.replaceAll(/<!--[\s\S]*?-->/g, '')
    for (const [, property = ''] of plain.matchAll(/<property>([\s\S]*?)<\/property>/g)) {
      const name = /<name>\s*([\s\S]*?)\s*<\/name>/.exec(property)?.[1]
      const value = /<value>\s*([\s\S]*?)\s*<\/value>/.exec(property)?.[1]
      if (name !== undefined && value !== undefined && !this.#values.has(name)) this.set(unescapeXml(name), unescapeXml(value))
    }
  }
}

/** Takes the generic options off the front; what is left begins with the verb. */
export function takeGenericOptions(words: readonly string[]): { readonly configuration: Configuration; readonly rest: readonly string[] } {
  const configuration = new Configuration()
  const files: string[] = []
  let at = 0
  for (; at < words.length; at++) {
    const word = words[at] as string
    const value = words[at + 1]
    if (word === '-D' && value !== undefined) {
      setProperty(configuration, value)
      at++
    } else if (word.startsWith('-D') && word.includes('=')) {
      setProperty(configuration, word.slice(2))
    } else if ((word === '-fs' || word === '--fs') && value !== undefined) {
      configuration.set('fs.defaultFS', value)
      at++
    } else if (word.startsWith('--fs=')) {
      configuration.set('fs.defaultFS', word.slice(5))
    } else if (word === '-conf' && value !== undefined) {
      files.push(value)
      at++
    } else if (ignoredOptions.has(word) && value !== undefined) {
      at++
    } else {
      break
    }
  }
  for (const file of files) configuration.load(file)
  return { configuration, rest: words.slice(at) }
}

function setProperty(configuration: Configuration, pair: string): void {
  const at = pair.indexOf('=')
  if (at > 0) configuration.set(pair.slice(0, at), pair.slice(at + 1))
}

const suffixes = 'kmgtpe'

/** 1024, 64k, 128m: Hadoop's binary suffixes. */
export function parseBytes(text: string, key: string): number {
  const match = /^\s*(-?\d+)([a-z]?)\s*$/i.exec(text)
  const suffix = match?.[2]?.toLowerCase() ?? ''
  const power = suffix === '' ? 0 : suffixes.indexOf(suffix) + 1
  if (!match || (suffix !== '' && power === 0)) throw invalid(key, text, 'bytes, such as 134217728 or 128m')
  return Number(match[1]) * 1024 ** power
}

function invalid(key: string, value: string, wanted: string): QuarryError {
  return new QuarryError('CONFIG', `${key}=${value}: expected ${wanted}.`, { key, value })
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replaceAll(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => entities[name] as string)
}
