// Paths of the namespace: absolute, '/'-separated, any valid UTF-8 between the slashes, never '.' or '..'.
import { QuarryError } from './errors.ts'
import { nameBytesMax, pathDepthMax, pathLengthMax } from './limits.ts'

/** Bytes of a string in UTF-8 without encoding it. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit <= 0xdbff) {
      bytes += 2
      i++
    } else bytes += 2
  }
  return bytes
}

/** The components of an absolute path; [] for the root. Throws INVALID_PATH or NAME_TOO_LONG with what to mend. */
export function splitPath(path: string): string[] {
  if (path === '/') return []
  if (path.charCodeAt(0) !== 0x2f) {
    throw new QuarryError('INVALID_PATH', path === '' ? 'The path is empty.' : `Absolute path required, but got '${path}'`, { path })
  }
  if (path.length > pathLengthMax) {
    throw new QuarryError('INVALID_PATH', `The path is longer than ${pathLengthMax} characters.`, { length: path.length })
  }
  const end = path.charCodeAt(path.length - 1) === 0x2f ? path.length - 1 : path.length
  const names = path.slice(1, end).split('/')
  if (names.length > pathDepthMax) {
    throw new QuarryError('INVALID_PATH', `The path is deeper than ${pathDepthMax} levels.`, { depth: names.length })
  }
  for (const name of names) checkName(name, path)
  return names
}

function checkName(name: string, path: string): void {
  if (name === '' || name === '.' || name === '..') {
    throw new QuarryError(
      'INVALID_PATH',
      `Invalid path name: '${path}' has ${name === '' ? 'an empty component' : `the component '${name}'`}`,
      { path },
    )
  }
  // A character is at most 3 bytes per UTF-16 unit, so short names need no counting.
  if (name.length * 3 > nameBytesMax) {
    const bytes = utf8Length(name)
    if (bytes > nameBytesMax) {
      throw new QuarryError(
        'NAME_TOO_LONG',
        `The maximum path component name limit of ${name} in directory ${parentOf(path)} is exceeded: limit=${nameBytesMax} length=${bytes}`,
        { limit: nameBytesMax, length: bytes },
      )
    }
  }
  if (!name.isWellFormed()) {
    throw new QuarryError('INVALID_PATH', `The path is not valid Unicode: ${JSON.stringify(path)}`, { path })
  }
}

/** '/a/b' from ['a', 'b']; '/' from []. */
export function joinPath(names: readonly string[]): string {
  return `/${names.join('/')}`
}

/** The directory that holds `path`; '/' for the root and its children. */
export function parentOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at <= 0 ? '/' : path.slice(0, at)
}

/** The last component; '' for the root. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Orders names as the namespace does: by raw UTF-8 bytes, which for valid strings is the order of code points. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i)
    let y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates (code points from 2^16) sort after all other units in UTF-8, but not in UTF-16.
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000
    }
    return x - y
  }
  return a.length - b.length
}
