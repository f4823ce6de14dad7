// The version of this program, as its package says.
import { readFileSync } from 'node:fs'

/** From source this file lies in cli/, from the bundle in dist/ or dist/chunks/: the package is the nearest one above. */
export function programVersion(): string {
  for (const above of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(above, import.meta.url), 'utf8')) as { name?: string; version?: string }
      if (name === 'quarry' && version) return `quarry ${version}`
    } catch {
      // Not here: look one level further up.
    }
  }
  return 'quarry (unknown version)'
}
