// Hadoop's globs, expanded by the client: each component of the path is matched by itself, against the names of its directory.
//   *  any run of characters     ?  one character     [a-c] [^a] [!a]  one of, or none of, a set     {a,b}  either     \x  x itself
import { QuarryError, isQuarryError } from '../common/errors.ts'
import { compareNames } from '../common/path.ts'
import type { FileSystem, VerbOptions } from './filesystem.ts'
import type { FileInfo } from './types.ts'

/** Patterns that groups with slashes in them, such as {a/b,c}, may multiply to. */
const expansionsMax = 10_000

export type Component =
  | { readonly kind: 'literal'; readonly name: string }
  | { readonly kind: 'pattern'; readonly matches: (name: string) => boolean }

/** One component of a glob, compiled. Throws INVALID_ARGUMENT when a set, group or escape is not closed. */
export function compileComponent(glob: string): Component {
  let regex = ''
  let literal = ''
  let groups = 0
  let special = false
  const characters = [...glob]
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (c === '\\') {
      const escaped = characters[++i]
      if (escaped === undefined) throw malformed(glob, 'there is nothing after the last backslash')
      regex += quote(escaped)
      literal += escaped
    } else if (c === '*' || c === '?') {
      special = true
      regex += c === '*' ? '.*' : '.'
    } else if (c === '[') {
      special = true
      const set = characterSet(characters, i, glob)
      regex += set.regex
      i = set.end
    } else if (c === '{') {
      special = true
      groups++
      regex += '(?:'
    } else if (c === '}' && groups > 0) {
      groups--
      regex += ')'
    } else if (c === ',' && groups > 0) {
      regex += '|'
    } else {
      regex += quote(c)
      literal += c
    }
  }
  if (groups > 0) throw malformed(glob, 'a { is not closed')
  if (!special) return { kind: 'literal', name: literal }
  const compiled = new RegExp(`^(?:${regex})$`, 'su')
  return { kind: 'pattern', matches: (name) => compiled.test(name) }
}

function characterSet(characters: readonly string[], start: number, glob: string): { regex: string; end: number } {
  let i = start + 1
  let regex = '['
  if (characters[i] === '^' || characters[i] === '!') {
    regex += '^'
    i++
  }
  for (let first = true; ; first = false, i++) {
    let c = characters[i]
    if (c === undefined) throw malformed(glob, 'a [ is not closed')
    if (c === ']' && !first) break
    if (c === '\\') c = characters[++i]
    if (c === undefined) throw malformed(glob, 'there is nothing after the last backslash')
    if (characters[i + 1] === '-' && characters[i + 2] !== undefined && characters[i + 2] !== ']') {
      i += 2
      if (characters[i] === '\\') i++
      const end = characters[i]
      if (end === undefined || end.codePointAt(0)! < c.codePointAt(0)!) throw malformed(glob, 'a range in [ ] runs backwards')
      regex += `${quoteInSet(c)}-${quoteInSet(end)}`
    } else regex += quoteInSet(c)
  }
  return { regex: `${regex}]`, end: i }
}

/** A character as itself outside a set. */
function quote(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}

/** A character as itself inside a set. */
function quoteInSet(character: string): string {
  return /[\\^\][-]/.test(character) ? `\\${character}` : character
}

function malformed(glob: string, why: string): QuarryError {
  return new QuarryError(
    'INVALID_ARGUMENT',
    `Illegal file pattern '${glob}': ${why}. Put a backslash before a special character that is meant as itself.`,
    { pattern: glob },
  )
}

/** Groups that contain a slash, such as /{a/b,c}/d, as patterns without them, in order; other groups stay. */
export function expandSlashGroups(pattern: string): string[] {
  const done: string[] = []
  const open = [pattern]
  while (open.length > 0) {
    const next = open.shift()!
    const group = firstSlashGroup(next)
    if (!group) done.push(next)
    else open.unshift(...group.options.map((option) => next.slice(0, group.start) + option + next.slice(group.end + 1)))
    if (open.length + done.length > expansionsMax) throw malformed(pattern, `it stands for more than ${expansionsMax} patterns`)
  }
  return done
}

function firstSlashGroup(pattern: string): { start: number; end: number; options: string[] } | undefined {
  for (let start = 0; start < pattern.length; start++) {
    if (pattern[start] === '\\') start++
    else if (pattern[start] === '{') {
      const group = readGroup(pattern, start)
      if (group && group.options.some((option) => option.includes('/'))) return { start, ...group }
    }
  }
  return undefined
}

function readGroup(pattern: string, start: number): { end: number; options: string[] } | undefined {
  const options: string[] = []
  let depth = 0
  let from = start + 1
  for (let i = start; i < pattern.length; i++) {
    const c = pattern[i]
    if (c === '\\') i++
    else if (c === '{') depth++
    else if (c === ',' && depth === 1) {
      options.push(pattern.slice(from, i))
      from = i + 1
    } else if (c === '}' && --depth === 0) {
      options.push(pattern.slice(from, i))
      return { end: i, options }
    }
  }
  return undefined
}

/** See FileSystem.glob. */
export async function expandGlob(fs: FileSystem, pattern: string, options?: VerbOptions): Promise<FileInfo[]> {
  const found = new Map<string, FileInfo>()
  for (const alternative of expandSlashGroups(pattern)) {
    for (const info of await expandOne(fs, alternative, options)) found.set(info.path, info)
  }
  return [...found.values()].sort((a, b) => compareNames(a.path, b.path))
}

async function expandOne(fs: FileSystem, pattern: string, options?: VerbOptions): Promise<FileInfo[]> {
  const components = fs
    .resolve(pattern)
    .split('/')
    .filter((part) => part !== '')
    .map(compileComponent)
  // Directories reached so far; literal components are only joined, and looked up when a listing or the end needs them.
  let paths = ['/']
  let infos: FileInfo[] | undefined
  for (const [index, component] of components.entries()) {
    const isLast = index === components.length - 1
    if (component.kind === 'literal') {
      paths = paths.map((path) => joinName(path, component.name))
      infos = undefined
      continue
    }
    infos = []
    for (const directory of paths) infos.push(...(await matchesIn(fs, directory, component.matches, options)))
    if (!isLast) infos = infos.filter((info) => info.isDirectory)
    paths = infos.map((info) => info.path)
  }
  if (infos) return infos
  const looked: FileInfo[] = []
  for (const path of paths) {
    const info = await lookUp(fs, path, options)
    if (info) looked.push(info)
  }
  return looked
}

const joinName = (directory: string, name: string): string => (directory === '/' ? `/${name}` : `${directory}/${name}`)

/** Undefined when nothing is there, or a file is where a directory would have to be. */
async function lookUp(fs: FileSystem, path: string, options?: VerbOptions): Promise<FileInfo | undefined> {
  try {
    return await fs.stat(path, options)
  } catch (error) {
    if (isQuarryError(error, 'NOT_FOUND') || isQuarryError(error, 'NOT_A_DIRECTORY')) return undefined
    throw error
  }
}

async function matchesIn(
  fs: FileSystem,
  directory: string,
  matches: (name: string) => boolean,
  options?: VerbOptions,
): Promise<FileInfo[]> {
  const found: FileInfo[] = []
  try {
    for await (const entry of fs.list(directory, options)) {
      // The listing of a file is the file itself: a file has no entries.
      if (entry.path !== directory && matches(entry.name)) found.push(entry)
    }
  } catch (error) {
    if (!isQuarryError(error, 'NOT_FOUND') && !isQuarryError(error, 'NOT_A_DIRECTORY')) throw error
  }
  return found
}
