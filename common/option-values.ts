// The values of options as text: how a person writes them, and the way back.
import { QuarryError } from './errors.ts'
import { options, type OptionName, type OptionSpec } from './options.ts'

export type OptionValue = number | boolean | string | readonly string[]

/** Parses and bounds the text of one option. `place` says where it came from. */
export function parseOption(name: OptionName, text: string, place: string): OptionValue {
  const spec: OptionSpec = options[name]
  const value = text.trim()
  if (value === '')
    throw new QuarryError(
      'CONFIG',
      `${place}: ${name} is empty; give a value, or leave it out for the default (${formatValue(name, spec.default as OptionValue) || 'none'})`,
    )
  const wrong = (expected: string) => new QuarryError('CONFIG', `${place}: ${name} is "${value}"; expected ${expected}`)
  switch (spec.type) {
    case 'string':
      return value
    case 'boolean':
      if (value === 'true' || value === 'false') return value === 'true'
      throw wrong('true or false')
    case 'list':
      return parseList(value, () => wrong('a comma-separated list, or a JSON array of strings'))
    case 'int':
      if (!/^-?\d+$/.test(value)) throw wrong('a whole number')
      return bounded(name, Number(value), place)
    case 'bytes':
      return bounded(name, parseScaled(value, byteScales, 1) ?? refuse(wrong('bytes, such as 512, 64k, 128m or 1g')), place)
    case 'duration':
      return bounded(
        name,
        parseScaled(value, durationScales, millisecondsOf(spec)) ??
          refuse(wrong(`a duration in whole ${unitWord[spec.unit]}, such as ${durationExample[spec.unit]}`)),
        place,
      )
  }
}

const byteScales: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }
/** In milliseconds. */
const durationScales: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
const unitSuffix: Readonly<Record<string, string>> = { ms: 'ms', s: 's', min: 'm', bytes: '' }
const unitWord: Readonly<Record<string, string>> = { ms: 'milliseconds', s: 'seconds', min: 'minutes' }
const durationExample: Readonly<Record<string, string>> = { ms: '500ms, 3s or 10m', s: '30s or 10m', min: '30m, 6h or 7d' }

const millisecondsOf = (spec: OptionSpec) => durationScales[unitSuffix[spec.unit] ?? 'ms'] as number

function refuse(error: QuarryError): never {
  throw error
}

/** `12`, `12k`, `1.5g`: a whole number of the unit `base`, which a bare number is already in; undefined when it is none. */
function parseScaled(text: string, scales: Readonly<Record<string, number>>, base: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.toLowerCase().replace(/^([\d.]+\s*[kmgt])i?b$/, '$1'))
  const suffix = match?.[2] ?? ''
  const scale = suffix === '' ? base : scales[suffix]
  if (match === null || scale === undefined) return undefined
  const value = (Number(match[1]) * scale) / base
  return Number.isSafeInteger(value) ? value : undefined
}

function parseList(text: string, wrong: () => QuarryError): readonly string[] {
  if (!text.startsWith('['))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw wrong()
  }
  if (!Array.isArray(parsed) || !parsed.every((item) => typeof item === 'string' && item !== '')) throw wrong()
  return parsed as string[]
}

/** The value, within the bounds of its option. Throws CONFIG with the bound. */
export function bounded(name: OptionName, value: number, place: string): number {
  const spec: OptionSpec = options[name]
  const prefix = place === name ? name : `${place}: ${name}`
  if (!Number.isSafeInteger(value)) throw new QuarryError('CONFIG', `${prefix} is ${value}; expected a whole number`)
  if (spec.min !== undefined && value < spec.min)
    throw new QuarryError('CONFIG', `${prefix} is ${formatValue(name, value)}; it must be at least ${formatValue(name, spec.min)}`)
  if (spec.max !== undefined && value > spec.max)
    throw new QuarryError('CONFIG', `${prefix} is ${formatValue(name, value)}; it must be at most ${formatValue(name, spec.max)}`)
  return value
}

/** As a person would write it in a settings file: 128m, 30s, true. Parses back to the same value. */
export function formatValue(name: OptionName, value: OptionValue): string {
  const spec: OptionSpec = options[name]
  if (Array.isArray(value))
    return (value as readonly string[]).some((item) => item.includes(',') || item.startsWith('[')) ? JSON.stringify(value) : value.join(',')
  if (typeof value !== 'number') return String(value)
  if (spec.type === 'bytes') return largestScale(value, byteScales, ['t', 'g', 'm', 'k', ''])
  if (spec.type === 'duration') return largestScale(value * millisecondsOf(spec), durationScales, ['d', 'h', 'm', 's', 'ms'])
  return String(value)
}

function largestScale(value: number, scales: Readonly<Record<string, number>>, suffixes: readonly string[]): string {
  if (value === 0) return '0'
  for (const suffix of suffixes) {
    const scale = scales[suffix] as number
    if (Math.abs(value) >= scale && value % scale === 0) return `${value / scale}${suffix}`
  }
  return String(value)
}
