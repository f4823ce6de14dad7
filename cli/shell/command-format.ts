// Flags as Hadoop's shell takes them: single-dash words, before the paths, each once or more often, `--` ends them.
import { UsageError } from './errors.ts'

export interface ParsedArguments {
  readonly flags: ReadonlySet<string>
  /** Flags with a value; the value is '' where none followed. */
  readonly values: ReadonlyMap<string, string>
  readonly paths: string[]
}

export interface ArgumentRules {
  readonly min: number
  readonly max?: number
  /** Names without their dash. */
  readonly flags?: readonly string[]
  readonly valued?: readonly string[]
  /** Words with a dash that are no flag are left among the paths, for verbs with a grammar of their own. */
  readonly keepUnknown?: boolean
}

/** Throws UsageError with Hadoop's words. */
export function parseArguments(words: readonly string[], rules: ArgumentRules): ParsedArguments {
  const flags = new Set<string>()
  const values = new Map<string, string>()
  const rest = [...words]
  let at = 0
  while (at < rest.length) {
    const word = rest[at] as string
    if (!word.startsWith('-') || word === '-') break
    const name = word.slice(1)
    if (word === '--') {
      rest.splice(at, 1)
      break
    } else if (rules.flags?.includes(name)) {
      flags.add(name)
      rest.splice(at, 1)
    } else if (rules.valued?.includes(name)) {
      rest.splice(at, 1)
      const next = rest[at]
      const isValue = next !== undefined && rest.length > rules.min && !next.startsWith('-')
      if (isValue) rest.splice(at, 1)
      values.set(name, isValue ? next : '')
    } else if (rules.keepUnknown) {
      at++
    } else {
      throw new UsageError(`Illegal option ${word}`)
    }
  }
  checkCount(rest.length, rules.min, rules.max ?? Number.MAX_SAFE_INTEGER)
  return { flags, values, paths: rest }
}

export function checkCount(count: number, min: number, max: number): void {
  if (count < min) throw new UsageError(`Not enough arguments: expected ${min} but got ${count}`)
  if (count > max) throw new UsageError(`Too many arguments: expected ${max} but got ${count}`)
}
