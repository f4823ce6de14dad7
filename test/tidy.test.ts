// Rules of the repository that no linter knows.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { protocolVersion } from '../proto/version.ts'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(root, file)))
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

const folders = ['common', 'proto', 'namenode', 'datanode', 'client', 'compute', 'cli', 'bench', 'test']
const sources = files.filter((file) => /^[^.].*\.(ts|mjs)$/.test(file) && !/^proto\/(hadoop\/)?gen\//.test(file))

/** Files shorter than this speak for themselves. */
const linesWithoutHeader = 70

test('a source file opens with what it is for', () => {
  const bare = sources.filter((file) => {
    const text = read(file)
    return !/\.test\.ts$|\.d\.m?ts$/.test(file) && text.split('\n').length > linesWithoutHeader && !/^(#!.*\n)?(\/\/|\/\*)/.test(text)
  })
  expect(bare).toEqual([])
})

test('every top folder says in a README what it is, where to begin and what it may import', () => {
  expect(folders.filter((folder) => !existsSync(path.join(root, folder, 'README.md')))).toEqual([])
})

test('the core asks nobody for the time', () => {
  // Date.now is a lint; a Date without arguments is the same question.
  const asking = sources.filter((file) => /\/core\//.test(file) && !/\.test\.ts$|\/testing\//.test(file) && /new Date\(\)/.test(read(file)))
  expect(asking).toEqual([])
})

test('files are named in kebab-case', () => {
  const odd = sources.filter((file) => !file.split('/').every((part) => /^[a-z0-9._-]+$/.test(part)))
  expect(odd).toEqual([])
})

test('no file names a path of the machine it was written on, or the host of a package registry', () => {
  // In pieces, so that this file does not name them either.
  const forbidden = [
    ['/wo', 'rk/(main|shared|\\.)'],
    ['/ro', 'ot/'],
    ['/tmp/', '(team|peers)'],
    ['registry\\.npm', 'js\\.org'],
    ['repo1?\\.mav', 'en'],
    ['deb\\.deb', 'ian\\.org'],
    ['pypi\\.', 'org'],
    ['proxy\\.gol', 'ang'],
  ].map((pieces) => new RegExp(pieces.join('')))
  const found = files.flatMap((file) =>
    isText(file) ? forbidden.filter((pattern) => pattern.test(read(file))).map((pattern) => `${file}: ${pattern.source}`) : [],
  )
  expect(found).toEqual([])
})

const isText = (file: string): boolean => !/\.(parquet|png|jpg|gz|bin|wasm)$/.test(file)

test('the lockfile holds no download addresses and the manifest only exact versions', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved":/)
  const manifest = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+([-.][\w.]+)?$/.test(version),
  )
  expect(loose).toEqual([])
})

test('generated files are fresh', () => {
  for (const script of ['scripts/gen-proto.mjs', 'scripts/gen-settings.mjs']) {
    expect(() => execFileSync(process.execPath, [script, '--check'], { cwd: root, stdio: 'pipe' })).not.toThrow()
  }
})

test('the wire changes only together with its number', () => {
  // SHA-256 of the schema without comments. When it differs: peers of the version before cannot be trusted to understand, so add
  // a line to the history in proto/version.ts with the next number, and its hash here.
  const hashes: Record<number, string> = {
    1: '24e1e8e61479e817b13b23a565e679904d13535eef9b1283afe077d83366d2bf',
    2: 'b262a57068942cf2e1efdeb1d10d3c1e62e8409f58fd23f61a062edc5539da08',
    3: '173aec468607c3804bfd97a999746e73bad5fe894c7a6787e1403bb463e276ae',
  }
  const schema = createHash('sha256').update(read('proto/gen/schema.json')).digest('hex')
  expect(schema).toBe(hashes[protocolVersion])
})

test('the failure model names tests that exist', () => {
  // A cell says `path.test.ts` ("part of a test's name", "another"): each must be in that file.
  const page = read('docs/failure-model.md')
  const named = [...page.matchAll(/`([\w./-]+\.test\.ts)`(?: \(((?:"[^"]+"(?:, )?)+)\))?/g)]
  const missing = named.flatMap(([, file = '', names = '']) => {
    if (!existsSync(path.join(root, file))) return [`${file} is not there`]
    const source = read(file)
    return [...names.matchAll(/"([^"]+)"/g)]
      .filter(([, name = '']) => !source.includes(name))
      .map(([, name]) => `${file} has no test "${name}"`)
  })
  expect(missing).toEqual([])
  expect(named.length).toBeGreaterThan(10)
})

test('links between pages lead somewhere', () => {
  const broken = files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
        .map((match) => match[1]!)
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(path.join(root, path.dirname(file), target)))
        .map((target) => `${file}: ${target}`),
    )
  expect(broken).toEqual([])
})
