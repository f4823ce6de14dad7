// Bundles the program into dist/ with esbuild: few files and no TypeScript at run time is what makes `quarry ls` start at once.
//
//   node scripts/build.mjs            bundles
//   node scripts/build.mjs --full     bundles, writes the declarations of the public entries to dist/types, and prepares V8's code
//                                     cache of the CLI (what `npm run build` and an installation do)
//   node scripts/build.mjs --clean    empties dist/ first
//
// The CLI is one CommonJS file, whatever of it is needed: with a code cache beside it V8 compiles nothing of what a short command
// runs, and one file is found sooner than thirty. Its name carries its hash, since V8 checks a cache only against the length of its
// source. The modules for other programs (SDK, test cluster) share their code through chunks, so that FileSystem and QuarryError are
// the same classes in both. Packages with a native or WebAssembly part are left outside.
//
// A build may run while programs of the build before are alive (tests, a demo cluster): each file is written under a temporary
// name and renamed, and files of earlier builds stay for an hour because a running program may still load them.
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const outdir = path.join(root, 'dist')

/** dist/NAME.js from each of these sources. */
const modules = {
  client: 'client/index.ts',
  testing: 'test/support/mini-cluster.ts',
  sql: 'compute/index.ts',
  executor: 'compute/executor/main.ts',
  inspector: 'namenode/store/inspect-main.ts',
}

/** Native, WebAssembly, or started by path at run time. */
const external = ['better-sqlite3', '@duckdb/*', 'fast-crc32c', 'pino', 'parquet-wasm', 'esbuild']

const staleMs = 60 * 60_000

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  external,
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
}

/** Bundles all there is. */
export async function buildProgram() {
  const [shared, cli] = await Promise.all([bundleModules(), bundleCli()])
  // What is named goes before what names it.
  const files = [...shared.filter(isChunk), ...cli.files, ...shared.filter((file) => !isChunk(file)), cli.start]
  for (const file of files) replaceFile(file.path, file.contents)
  removeStale(new Set([...files.map((file) => file.path), cli.cacheFile]))
  return { built: ['cli', ...Object.keys(modules)], cliFile: cli.files[0].path, cacheFile: cli.cacheFile }
}

async function bundleModules() {
  const { outputFiles } = await build({
    ...common,
    entryPoints: modules,
    outdir,
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
    // CommonJS packages inside the bundle call require().
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
  })
  return outputFiles
}

const isChunk = (file) => file.path.includes(`${path.sep}chunks${path.sep}`)

async function bundleCli() {
  const { outputFiles } = await build({
    ...common,
    entryPoints: ['cli/main.ts'],
    outfile: path.join(outdir, 'cli-program.cjs'),
    format: 'cjs',
    // An import() inside a script from a code cache has lost its module loader; a require() has not.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__importMetaUrl' },
    banner: { js: "const __importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  })
  const [map, program] = outputFiles.toSorted((a, b) => a.path.length - b.path.length).toReversed()
  const name = `cli-${createHash('sha256').update(program.contents).digest('hex').slice(0, 16)}.cjs`
  const file = path.join(outdir, name)
  const text = program.text.replace('cli-program.cjs.map', `${name}.map`)
  return {
    files: [
      { path: file, contents: Buffer.from(text) },
      { path: `${file}.map`, contents: Buffer.from(map.contents) },
    ],
    start: { path: path.join(outdir, 'cli.cjs'), contents: Buffer.from(startOf(name)) },
    cacheFile: `${file}.cache`,
  }
}

/** dist/cli.cjs: runs the program through its code cache where there is one that this V8 takes. */
const startOf = (name) => `// Written by scripts/build.mjs.
'use strict'
const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const vm = require('node:vm')
const file = __dirname + '/${name}'
exports.load = (cachedData) => {
  const source = '(function(exports,require,module,__filename,__dirname){' + readFileSync(file, 'utf8') + '\\n})'
  return new vm.Script(source, { filename: file, cachedData, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER })
}
exports.run = (script) => {
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(file), module, file, __dirname)
}
exports.start = () => {
  let cache
  try {
    cache = readFileSync(file + '.cache')
  } catch {
    // Built without one.
  }
  exports.run(exports.load(cache))
}
`

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

/** Files of earlier builds that carry a hash in their name. */
function removeStale(current) {
  const candidates = [...namesIn(path.join(outdir, 'chunks')), ...namesIn(outdir).filter((file) => /[/\\]cli-[^/\\]+$/.test(file))]
  for (const file of candidates) {
    if (current.has(file)) continue
    try {
      if (Date.now() - statSync(file).mtimeMs > staleMs) rmSync(file)
    } catch {
      // Another build removed it first.
    }
  }
}

const namesIn = (dir) => (existsSync(dir) ? readdirSync(dir).map((name) => path.join(dir, name)) : [])

/** Lets the CLI run once as for `quarry ls`, without a cluster, and keeps what V8 compiled. */
function buildCodeCache(cacheFile) {
  const { status } = spawnSync(
    process.execPath,
    [path.join(root, 'scripts/code-cache.cjs'), path.join(outdir, 'cli.cjs'), `${cacheFile}.tmp`],
    { stdio: 'ignore', timeout: 60_000 },
  )
  if (status === 0) renameSync(`${cacheFile}.tmp`, cacheFile)
  else console.log('no code cache: the CLI will start a little slower')
}

/** Declarations without a type check: `npm run types` is the check, and a half-done file elsewhere must not break an install. */
function buildTypes() {
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
  const { built, cacheFile } = await buildProgram().catch(() => process.exit(1))
  if (process.argv.includes('--full')) {
    buildTypes()
    buildCodeCache(cacheFile)
  }
  console.log(`built ${built.join(', ')} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
}
