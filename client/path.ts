// What a user may type for a path, as Hadoop's Path takes it.
import { QuarryError } from '../common/errors.ts'

const uriPattern = /^([a-z][a-z0-9+.-]*:\/\/[^/]*)(\/.*)?$/is

/**
 * The absolute form of `path`: relative to `home`, repeated slashes and `.` dropped, `..` resolved, a trailing slash dropped, the
 * scheme and authority of a URI dropped; a quarry:// URI must be that of `cluster` or name no host. Nothing is percent-decoded: `%41` is a name of three characters.
 */
export function normalizePath(path: string, home: string, cluster: string): string {
  if (isNormal(path)) return path
  if (path === '') throw new QuarryError('INVALID_ARGUMENT', 'Can not create a Path from an empty string', { path })
  const uri = uriPattern.exec(path)
  if (uri && uri[1]!.startsWith('quarry://') && uri[1] !== 'quarry://' && uri[1] !== cluster) {
    throw new QuarryError('INVALID_ARGUMENT', `Wrong FS: ${path}, expected: ${cluster}`, { path })
  }
  let rest = uri ? (uri[2] ?? '/') : path
  if (!rest.startsWith('/')) rest = `${home}/${rest}`
  const names: string[] = []
  for (const name of rest.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') names.push(name)
    else if (names.pop() === undefined) throw new QuarryError('INVALID_PATH', `Invalid path name: '${path}' leads above the root`, { path })
  }
  return `/${names.join('/')}`
}

/** The common case without cutting the path to pieces: absolute, no `//`, no `/.`, no slash at the end. */
function isNormal(path: string): boolean {
  if (path.charCodeAt(0) !== 0x2f) return false
  if (path.length > 1 && path.charCodeAt(path.length - 1) === 0x2f) return false
  return !path.includes('//') && !path.includes('/.')
}
