// The program as a user runs it: the verbs without ceremony, pipes, names of every kind, exit codes, bad input.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Sandbox, seededBytes } from '../support/processes.ts'
import type { Outcome } from '../support/processes.ts'

const sandbox = new Sandbox()
let uri = ''

beforeAll(async () => {
  uri = (await sandbox.up()).uri
  await ok(['mkdir', '-p', '/flags/a'])
})

afterAll(async () => {
  await sandbox[Symbol.asyncDispose]()
})

const quarry = (args: readonly string[], input?: string | Uint8Array): Promise<Outcome> =>
  sandbox.quarry(args, { env: { QUARRY_FS: uri }, ...(input !== undefined && { input }) })
const ok = (args: readonly string[], input?: string | Uint8Array): Promise<string> =>
  sandbox.ok(args, { env: { QUARRY_FS: uri }, ...(input !== undefined && { input }) })

/** Names that break programs which quote, decode or split where they should not. */
const oddNames = [
  'with space',
  ' leading and trailing ',
  'new\nline',
  'tab\there',
  'emoji 🎉',
  'e\u0301 combining',
  'per%cent%20',
  'back\\slash',
  'star*',
  'q?',
  '[brackets]',
  '{a,b}',
  '#hash',
  'quote\'d "twice"',
  '-dash',
  '--',
  'a:b',
  'c&d;e|f',
  '日本語',
  '.hidden',
  'x'.repeat(255),
]
/** As itself in a glob. */
const literally = (name: string): string => name.replaceAll(/[\\*?[\]{}]/g, '\\$&')

describe('files', () => {
  test('a large file comes back byte for byte, and is there under its own name only', async () => {
    const bytes = seededBytes(5 * 1024 * 1024 + 17, 7)
    writeFileSync(sandbox.path('big.bin'), bytes)
    await ok(['mkdir', '-p', '/big'])
    await ok(['put', '--block-size', '1m', '--replication', '2', 'big.bin', '/big/'])
    expect(await ok(['ls', '-1', '/big'])).toBe('/big/big.bin\n')
    await ok(['get', '/big/big.bin', 'back.bin'])
    expect(digest(readFileSync(sandbox.path('back.bin')))).toBe(digest(bytes))
    const stat = JSON.parse(await ok(['stat', '--json', '/big/big.bin'])) as Record<string, unknown>
    expect(stat).toMatchObject({
      path: '/big/big.bin',
      type: 'file',
      length: bytes.length,
      replication: 2,
      blockSize: 1024 * 1024,
      permission: '644',
    })
  })

  test('directories are copied whole, both ways', async () => {
    mkdirSync(sandbox.path('tree', 'sub', 'empty'), { recursive: true })
    writeFileSync(sandbox.path('tree', 'a'), 'a')
    writeFileSync(sandbox.path('tree', 'sub', 'b'), 'bb')
    await ok(['put', 'tree', '/tree'])
    expect(await ok(['find', '/tree'])).toBe('/tree\n/tree/a\n/tree/sub\n/tree/sub/b\n/tree/sub/empty\n')
    await ok(['get', '/tree', 'tree-back'])
    expect(readFileSync(sandbox.path('tree-back', 'sub', 'b'), 'utf8')).toBe('bb')
    await ok(['merge', '-n', '/tree', 'merged'])
    expect(readFileSync(sandbox.path('merged'), 'utf8')).toBe('a\n')
  })

  test('many files are copied at the same time, and two of one name do not meet', async () => {
    for (const directory of ['many', 'more']) mkdirSync(sandbox.path(directory))
    for (let i = 0; i < 40; i++) writeFileSync(sandbox.path('many', `f${i}`), `${i}`)
    writeFileSync(sandbox.path('more', 'f7'), 'the other')
    await ok(['put', 'many', '/many'])
    expect(await ok(['count', '-b', '/many'])).toBe('           1           40                 70 /many\n')
    await ok(['mkdir', '/met'])
    expect(await quarry(['put', 'many/f7', 'more/f7', '/met'])).toMatchObject({ code: 1, stderr: "quarry put: `/met/f7': File exists\n" })
    expect(await ok(['cat', '/met/f7'])).toBe('7')
    await ok(['dfs', '-get', '-t', '8', '/many', 'many-back'])
    for (let i = 0; i < 40; i++) expect(readFileSync(sandbox.path('many-back', `f${i}`), 'utf8')).toBe(`${i}`)
    expect(await ok(['get', '/many/f1', '/many/f2', '-'])).toBe('12')
  })

  test('pipes: standard input in, standard output out', async () => {
    await ok(['put', '-', '/piped'], 'one\n')
    await ok(['append', '-', '/piped'], 'two\n')
    expect(await ok(['cat', '/piped'])).toBe('one\ntwo\n')
    expect(await ok(['get', '/piped', '-'])).toBe('one\ntwo\n')
    await ok(['put', '-', '/piped.gz'], gzipSync('unpacked\n'))
    expect(await ok(['text', '/piped.gz', '/piped'])).toBe('unpacked\none\ntwo\n')
    expect(await ok(['head', '/piped'])).toBe('one\ntwo\n')
    await ok(['truncate', '4', '/piped'])
    expect(await ok(['tail', '/piped'])).toBe('one\n')
  })

  test('tail -f shows what is appended', async () => {
    await ok(['put', '-', '/followed'], 'first\n')
    const tail = sandbox.start(['tail', '-f', '-s', '100', '/followed'], { env: { QUARRY_FS: uri } })
    await tail.waitFor(/first/)
    await ok(['append', '-', '/followed'], 'second\n')
    await tail.waitFor(/second/)
    tail.kill('SIGINT')
    expect(await tail.done).toMatchObject({ code: 130, stdout: 'first\nsecond\n' })
  })

  test('removed files lie in the trash, and can be deleted for good', async () => {
    await ok(['put', '-', '/doomed'], 'x')
    const { stderr } = await quarry(['rm', '/doomed'])
    expect(stderr).toMatch(/^Moved: 'quarry:\/\/[^']*\/doomed' to trash at: quarry:\/\/[^']*\/\.Trash\/Current\/doomed\n$/)
    expect((await quarry(['test', '-e', '/doomed'])).code).toBe(1)
    await ok(['put', '-', '/doomed'], 'x')
    expect(await ok(['rm', '--skip-trash', '/doomed'])).toBe('Deleted /doomed\n')
  })

  test('Ctrl-C leaves nothing half-written', async () => {
    const put = sandbox.start(['put', '-', '/interrupted'], { env: { QUARRY_FS: uri }, openInput: true })
    put.stdin.write('some bytes')
    await eventually(async () => (await ok(['ls', '-1', '/'])).includes('/interrupted._COPYING_'))
    put.kill('SIGINT')
    expect((await put.done).code).toBe(130)
    expect(await ok(['ls', '-1', '/'])).not.toContain('interrupted')
  })
})

test('odd names survive every verb', async () => {
  const names = oddNames.toSorted()
  const patterns = (directory: string): string[] => names.map((name) => literally(`${directory}/${name}`))
  mkdirSync(sandbox.path('odd'))
  for (const name of names) writeFileSync(sandbox.path('odd', name), name)
  await ok(['mkdir', '-p', '/odd/moved', '/odd/copied'])
  // As arguments of their own, relative, so that a name is all there is.
  await sandbox.ok(['put', '--', ...names.map((name) => `odd/${name}`), '/odd'], { env: { QUARRY_FS: uri } })
  const listed = (await ok(['ls', '--json', '/odd']))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { path: string; type: string })
  expect(
    listed
      .filter(({ type }) => type === 'file')
      .map(({ path }) => path)
      .toSorted(),
  ).toEqual(names.map((name) => `/odd/${name}`))
  expect(await ok(['cat', ...patterns('/odd')])).toBe(names.join(''))
  await ok(['mv', ...patterns('/odd'), '/odd/moved/'])
  await ok(['cp', ...patterns('/odd/moved'), '/odd/copied/'])
  await ok(['chmod', '600', ...patterns('/odd/copied')])
  expect(await ok(['stat', '-c', '%a %n', ...patterns('/odd/copied')])).toBe(names.map((name) => `600 ${name}\n`).join(''))
  expect((await ok(['find', '/odd/copied', '-print0'])).split('\0').toSorted()).toEqual(
    ['', '/odd/copied', ...names.map((name) => `/odd/copied/${name}`)].toSorted(),
  )
  expect(await ok(['du', '-s', '-b', '/odd/copied'])).toBe(`${bytesOf(names)}  ${bytesOf(names) * 3}  /odd/copied\n`)
  await ok(['get', '/odd/copied', 'odd-back'])
  for (const name of names) expect(readFileSync(sandbox.path('odd-back', name), 'utf8')).toBe(name)
  expect(await ok(['rm', '--skip-trash', ...patterns('/odd/copied')])).toBe(names.map((name) => `Deleted /odd/copied/${name}\n`).join(''))
  await ok(['rm', ...patterns('/odd/moved')])
  expect(await ok(['ls', '-1', '/odd/moved'])).toBe('')
})

describe('flags', () => {
  test('may be joined, stand behind paths, and carry values', async () => {
    await ok(['mkdir', '-p', '/flags/a'])
    await ok(['put', '-', '/flags/a/one'], '1'.repeat(1536))
    expect(await ok(['ls', '/flags', '-Rb'])).toMatch(/^drwxr-xr-x {3}- .* \/flags\/a\n-rw-r--r-- {3}3 .* 1536 .* \/flags\/a\/one\n$/)
    expect(await ok(['ls', '/flags/a'])).toMatch(/ 1\.5 K .*one\n$/)
    expect(await ok(['stat', '-c%b', '/flags/a/one'])).toBe('1536\n')
    expect(await ok(['stat', '--format=%b %n', '/flags/a/one'])).toBe('1536 one\n')
    expect(await ok(['count', '-b', '/flags'])).toBe('           2            1               1536 /flags\n')
    expect(JSON.parse(await ok(['--json', 'count', '/flags']))).toMatchObject({ path: '/flags', directories: 2, files: 1, length: 1536 })
  })

  test('--fs and --user come before or behind the command', async () => {
    const none = { env: {} }
    expect(await sandbox.ok(['--fs', uri, 'ls', '-1', '/flags'], none)).toBe('/flags/a\n')
    expect(await sandbox.ok(['ls', '-1', '/flags', `--fs=${uri}`], none)).toBe('/flags/a\n')
    const denied = await sandbox.quarry(['--user', 'nobody-special', '--fs', uri, 'mkdir', '/flags/no'], none)
    expect(denied).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^quarry mkdir: Permission denied: user=nobody-special, access=WRITE, inode="\/flags"/) as string,
    })
    expect(await sandbox.ok(['dfs', '-fs', uri, '-ls', '-C', '/flags'], none)).toBe('/flags/a\n')
  })
})

describe('bad input is one line that says what to do', () => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['lss'], 2, /^quarry: unknown command lss; did you mean ls\? see: quarry --help\n$/],
    [['--frob'], 2, /^quarry: unknown option --frob; /],
    [['ls', '--frob'], 2, /^quarry: ls: unknown option --frob; see: quarry ls --help\n$/],
    [['ls', '-y'], 2, /^quarry: ls: unknown option -y; see: quarry ls --help\n$/],
    [['put', '--replication'], 2, /^quarry: put: --replication needs a value \(N\); see: quarry put --help\n$/],
    [['cat'], 2, /^quarry: cat: Not enough arguments: expected 1 but got 0; see: quarry cat --help\n$/],
    [['cat', '/missing'], 1, /^quarry cat: `\/missing': No such file or directory\n$/],
    [['cat', '/flags'], 1, /^quarry cat: `\/flags': Is a directory\n$/],
    [['put', 'no-such-local', '/x'], 1, /^quarry put: `no-such-local': No such file or directory\n$/],
    [['ls', 'hdfs://elsewhere:8020/'], 1, /^quarry ls: This client speaks to quarry:\/\/ addresses; .*\n$/],
    [
      ['mkdir', `/${'n'.repeat(256)}`],
      1,
      /^quarry mkdir: The maximum path component name limit of n+ in directory \/ is exceeded: limit=255 length=256\n$/,
    ],
    [['setrep', '0', '/flags'], 2, /^quarry: setrep: replication must be >= 1; see/],
    [['ls', '--fs', 'quarry://127.0.0.1:1', '/'], 1, /^quarry ls: .*127\.0\.0\.1:1.*\n$/],
    [
      ['--json', 'cat', '/missing'],
      1,
      /^\{"error":\{"verb":"cat","code":"NOT_FOUND","message":"`\/missing': No such file or directory"\}\}\n$/,
    ],
    [['--json', 'lss'], 2, /^\{"error":\{"code":"INVALID_ARGUMENT",/],
    [['dfs', '-conf', 'no-such-file', '-ls'], 255, /^quarry: Cannot read the configuration file no-such-file: /],
    [['dfs', '-D', 'dfs.bytes-per-checksum=1024', '-ls'], 1, /^quarry: dfs\.bytes-per-checksum=1024: Quarry writes 512 bytes a checksum/],
    [['dfs', '-setfacl', '-m', 'user:a', '/x'], 255, /^-setfacl: Invalid <aclSpec> : user:a\n/],
    [['dfsadmin', '-rollEdits'], 255, /^rollEdits: Quarry does not have this\. .*quarry debug edits prints it\.\n$/],
    [['dfsadmin', '-saveNamespace'], 255, /^saveNamespace: Safe mode should be turned ON in order to create namespace image\.\n$/],
    [['admin', 'decommission', 'nowhere'], 1, /^quarry: There is no datanode 'nowhere'\. There are: .*\n$/],
    [['admin', 'maintenance', 'nowhere', '--for', 'soon'], 2, /^quarry: --for is "soon"; expected a time such as 90s, 30m, 2h or 1d\n$/],
    [['balancer', '-asService'], 255, /^-asService: Quarry has no balancer that stays: run it from a timer\.\nUsage: hdfs balancer\n/],
    [['debug', 'computeMeta', '-block', 'x', '-out', 'y'], 1, /^quarry: computeMeta: Quarry does not have this\. .*\n$/],
    [['debug', 'recoverLease', '-path', '/missing'], 1, /^recoverLease got exception: File does not exist: \/missing\nGiving up /],
    [['debug', 'edits', '--limit', 'x'], 2, /^quarry: --limit is "x"; expected a whole number\n$/],
  ]
  test.each(cases)('quarry %j exits %d', async (args, code, stderr) => {
    const outcome = await quarry(args)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toMatch(stderr)
  })

  test('without a cluster the next step is named', async () => {
    const outcome = await sandbox.quarry(['ls', '/'])
    expect(outcome).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'quarry ls: no cluster is named and none runs on this machine; start one with: quarry up (or name one with --fs URI or QUARRY_FS)\n',
    })
  })
})

describe('help', () => {
  test('lists the commands and teaches how to begin', async () => {
    const help = await sandbox.ok(['--help'])
    for (const word of ['quarry up --detach', '  ls ', '  dfs ', '  sql ', 'exit codes']) expect(help).toContain(word)
  })

  test('of a verb shows its flags and examples; help VERB is the same', async () => {
    const help = await sandbox.ok(['rm', '--help'])
    for (const word of ['usage: quarry rm', '--skip-trash', 'examples:']) expect(help).toContain(word)
    expect(await sandbox.ok(['help', 'rm'])).toBe(help)
  })

  test('nothing typed shows it on standard error', async () => {
    expect(await sandbox.quarry([])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('begin with:') as string })
  })

  test('--version names the program', async () => {
    expect(await sandbox.ok(['--version'])).toMatch(/^quarry \d+\.\d+\.\d+/)
  })
})

describe('the operator', () => {
  test('dfsadmin -report shows the cluster and its datanodes as Hadoop does', async () => {
    const report = await ok(['dfsadmin', '-report'])
    expect(report).toMatch(
      /^Configured Capacity: \d+ \(\d+(\.\d\d)? [KMGT]B\)\nPresent Capacity: \d+ \(.*\)\nDFS Remaining: \d+ \(.*\)\nDFS Used: \d+ \(.*\)\nDFS Used%: \d+\.\d\d%\nReplicated Blocks:\n\tUnder replicated blocks: \d+\n/,
    )
    expect(report).toContain('\n-------------------------------------------------\nLive datanodes (3):\n\nName: 127.0.0.1:')
    expect(report.match(/^Decommission Status : Normal$/gm)).toHaveLength(3)
    expect(report.match(/^Last contact: \w{3} \w{3} \d\d \d\d:\d\d:\d\d \S+ \d{4}$/gm)).toHaveLength(3)
    expect(await ok(['dfsadmin', '-report', '-dead'])).toMatch(/-\nDead datanodes \(0\):\n\n$/)
  })

  test('debug edits prints the edit log, for the superuser only', async () => {
    const lines = (await ok(['debug', 'edits', '--limit', '5']))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { txid: number; op: string })
    expect(lines).toHaveLength(5)
    const [first] = lines
    expect(first).toMatchObject({ txid: 1, op: 'format' })
    const after = await ok(['debug', 'edits', '--after', String(first?.txid), '--limit', '1'])
    expect((JSON.parse(after) as { txid: number }).txid).toBeGreaterThan(first?.txid ?? 0)
    expect(await quarry(['--user', 'nobody-special', 'debug', 'edits'])).toMatchObject({ code: 1, stdout: '' })
  })

  test('fsck names what is under-replicated and calls the rest healthy', async () => {
    await ok(['put', '-', '/thin'], 'x')
    expect(await ok(['fsck', '/thin', '-files', '-blocks', '-locations'])).toMatch(
      /\/thin 1 bytes, replicated: replication=3, 1 block\(s\): {2}OK\n0\. BP-.*:blk_\d+_\d+ len=1 Live_repl=3 {2}\[DatanodeInfoWithStorage\[127\.0\.0\.1:\d+,.*\]\]\n/,
    )
    await ok(['setrep', '5', '/thin'])
    expect(await ok(['fsck', '/thin'])).toMatch(
      /\/thin: {2}Under replicated BP-.*:blk_\d+_\d+\. Target Replicas is 5 but found 3 live replica\(s\)/,
    )
  })
})

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const bytesOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('it never came true')
}
