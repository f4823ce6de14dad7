// Names of beans, such as Hadoop:service=NameNode,name=FSNamesystem, and patterns of them as ?qry= gives them: * and ? stand for
// characters of the domain and of values, and a last `,*` (or `*` alone) for any further keys. Keys have no order.

export interface NamePattern {
  readonly domain: string
  readonly keys: ReadonlyMap<string, string>
  /** Names may have keys that the pattern does not name. */
  readonly more: boolean
}

/** Longer patterns name nothing that there is. */
const patternMax = 1024

/** Undefined for what is no name of a bean. */
export function parseNamePattern(text: string): NamePattern | undefined {
  const colon = text.indexOf(':')
  if (colon < 0 || text.length > patternMax) return undefined
  const keys = new Map<string, string>()
  let more = false
  for (const part of text.slice(colon + 1).split(',')) {
    if (part === '*' && !more) {
      more = true
      continue
    }
    const equals = part.indexOf('=')
    const key = part.slice(0, equals)
    if (equals <= 0 || equals === part.length - 1 || keys.has(key)) return undefined
    keys.set(key, part.slice(equals + 1))
  }
  return { domain: text.slice(0, colon), keys, more }
}

/** Whether a bean of this name is meant. */
export function nameMatches(pattern: NamePattern, name: string): boolean {
  const parsed = parseNamePattern(name)
  if (parsed === undefined || !matches(pattern.domain, parsed.domain)) return false
  if (!pattern.more && parsed.keys.size !== pattern.keys.size) return false
  return [...pattern.keys].every(([key, value]) => {
    const own = parsed.keys.get(key)
    return own !== undefined && matches(value, own)
  })
}

/** Without a regular expression: a pattern of many stars must not take longer than the product of the two lengths. */
function matches(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
