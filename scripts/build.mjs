// Bundles the program into dist/ with esbuild: few files and no TypeScript at run time is what makes `quarry ls` start at once.
//
//   node scripts/build.mjs            bundles
//   node scripts/build.mjs --types    bundles, and writes the declarations of the public entries to dist/types
//   node scripts/build.mjs --clean    empties dist/ first
//
// The entries share their code through chunks, so FileSystem and QuarryError are one class in dist/client.js, dist/testing.js and
// dist/cli.js; what a command imports with `await import()` stays a chunk of its own, loaded only when needed. Packages with a
// native or WebAssembly part are left outside.
//
// A build may run while programs of the build before are alive (tests, a demo cluster): each file is written under a temporary
// name and renamed, and chunks of earlier builds stay for an hour because a running program may still load them lazily.
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const outdir = path.join(root, 'dist')

/** dist/NAME.js from each of these sources. */
const entries = {
  cli: 'cli/main.ts',
  client: 'client/index.ts',
  testing: 'test/support/mini-cluster.ts',
  executor: 'compute/executor/main.ts',
}

/** Native, WebAssembly, or started by path at run time. */
const external = ['better-sqlite3', '@duckdb/*', 'fast-crc32c', 'parquet-wasm', 'pino', 'esbuild']

const staleChunkMs = 60 * 60_000

export async function buildProgram() {
  const sources = Object.entries(entries).filter(([, source]) => existsSync(path.join(root, source)))
  if (sources.length === 0) return []
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(sources),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external,
    chunkNames: 'chunks/[name]-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    // CommonJS packages inside the bundle call require().
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
    logLevel: 'warning',
    write: false,
  })
  // Chunks before the entries that name them.
  const files = result.outputFiles.toSorted((a, b) => Number(isChunk(b.path)) - Number(isChunk(a.path)))
  for (const file of files) replaceFile(file.path, file.contents)
  removeStaleChunks(new Set(files.map((file) => file.path)))
  return sources.map(([name]) => `dist/${name}.js`)
}

const isChunk = (file) => file.includes(`${path.sep}chunks${path.sep}`)

function replaceFile(file, contents) {
  try {
    if (readFileSync(file).equals(contents)) return
  } catch {
    mkdirSync(path.dirname(file), { recursive: true })
  }
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, contents)
  renameSync(temporary, file)
}

function removeStaleChunks(current) {
  const dir = path.join(outdir, 'chunks')
  if (!existsSync(dir)) return
  for (const name of readdirSync(dir)) {
    const file = path.join(dir, name)
    if (current.has(file)) continue
    try {
      if (Date.now() - statSync(file).mtimeMs > staleChunkMs) rmSync(file)
    } catch {
      // Another build removed it first.
    }
  }
}

/** Declarations without a type check: `npm run types` is the check, and a half-done file elsewhere must not break an install. */
function buildTypes() {
  const missing = [entries.client, entries.testing].filter((source) => !existsSync(path.join(root, source)))
  if (missing.length > 0) return console.log(`no declarations: ${missing.join(', ')} is not there`)
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
  if (status !== 0) {
    console.error('The public declarations could not be written: a type in an exported signature has no exported name.')
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--clean')) rmSync(outdir, { recursive: true, force: true })
  const startedMs = performance.now()
  // esbuild has printed what is wrong.
  const built = await buildProgram().catch(() => process.exit(1))
  if (process.argv.includes('--types')) buildTypes()
  console.log(`built ${built.join(', ') || 'nothing'} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
}
