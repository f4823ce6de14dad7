// Builds the simulation from the sources with a planted bug in them, and loads what was built beside the real one.
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { simulate } from '../run/simulation.ts'
import type { PlantedBug } from './list.ts'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')

/** The source of a file with the bug in it. Throws when the place it belongs to is not there any more, or twice. */
export function plant(bug: PlantedBug, file: string, source: string): string {
  let changed = source
  for (const { find, replace, file: where } of bug.changes) {
    if (where !== file) continue
    const parts = changed.split(find)
    if (parts.length !== 2)
      throw new Error(
        `the bug ${bug.name} belongs to a place of ${file} that occurs ${parts.length - 1} times now: look at test/sim/planted/list.ts`,
      )
    changed = parts.join(replace)
  }
  return changed
}

/** `simulate` over the changed sources. */
export async function simulateWith(bug: PlantedBug): Promise<typeof simulate> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'quarry-planted-'))
  try {
    symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'))
    const outfile = path.join(directory, `${bug.name}.mjs`)
    const files = new Set(bug.changes.map(({ file }) => path.join(root, file)))
    for (const file of files) if (!existsSync(file)) throw new Error(`the bug ${bug.name} belongs to ${file}, which is gone`)
    await build({
      entryPoints: [path.join(root, 'test/sim/run/simulation.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'error',
      plugins: [
        {
          name: 'planted-bug',
          setup: ({ onLoad }) =>
            onLoad({ filter: /\.ts$/ }, ({ path: file }) =>
              files.has(file) ? { contents: plant(bug, path.relative(root, file), readFileSync(file, 'utf8')), loader: 'ts' } : undefined,
            ),
        },
      ],
    })
    return ((await import(pathToFileURL(outfile).href)) as { simulate: typeof simulate }).simulate
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
