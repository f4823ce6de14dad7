// The verbs without ceremony as data: what they are called, their GNU flags, and which words of Hadoop's verb those mean.

export interface PlainFlag {
  readonly short?: string
  readonly long: string
  /** What its value is called; undefined for a switch. */
  readonly value?: string
  /** Words of Hadoop's verb; `!-h` takes a default away. */
  readonly words?: (value: string) => readonly string[]
  /** Key of the configuration that the value goes to. */
  readonly setting?: string
  readonly doc: string
}

export interface PlainVerb {
  /** The verb of Hadoop's shell behind it. */
  readonly verb: string
  readonly usage: string
  readonly summary: string
  readonly doc: string
  readonly flags: readonly PlainFlag[]
  /** Words that stand there unless a flag takes them away. */
  readonly defaults?: readonly string[]
  /** The verb has a grammar of its own (find, test): words go through as they are. */
  readonly passThrough?: boolean
  /** Words with a dash that are arguments all the same, such as the mode `-x` of chmod. */
  readonly paths?: RegExp
  readonly examples: readonly string[]
}

const flag = (short: string | undefined, long: string, word: string, doc: string): PlainFlag => ({
  ...(short !== undefined && { short }),
  long,
  words: () => (word === '' ? [] : [word]),
  doc,
})
const exactBytes = flag('b', 'bytes', '!-h', 'exact numbers of bytes')
const human = flag('h', 'human', '', 'sizes for people (the default)')
const recursive = flag('R', 'recursive', '-R', 'directories with all below them')
const overwrite = flag('f', 'force', '-f', 'replace what is there')
const preserve = flag('p', 'preserve', '-p', 'keep times, owner, group and mode')
const direct = flag('d', 'direct', '-d', 'write to the target itself instead of NAME._COPYING_ first')
const replication: PlainFlag = { long: 'replication', value: 'N', setting: 'dfs.replication', doc: 'copies of each block' }
const blockSize: PlainFlag = { long: 'block-size', value: 'BYTES', setting: 'dfs.blocksize', doc: 'such as 64m' }
/** Directories are always copied with what is in them. */
const copiesAll = flag('r', 'recursive', '', 'taken for habit: directories are always copied whole')

const statFormat = '%F, %b bytes, mode %a (%A), owner %u:%g, %r copies, blocks of %o, modified %y UTC: %n'

export const plainVerbs: Readonly<Record<string, PlainVerb>> = {
  ls: {
    verb: 'ls',
    usage: '[-RtSrdu1b] [PATH…]',
    summary: 'list files',
    doc: "Lists directories, or files. Globs (* ? [a-c] {a,b}) are the cluster's: quote them from your shell.",
    defaults: ['-h'],
    flags: [
      flag('l', 'long', '', 'taken for habit: rows are always long'),
      recursive,
      flag('t', 'by-time', '-t', 'newest first'),
      flag('S', 'by-size', '-S', 'largest first'),
      flag('r', 'reverse', '-r', 'the other way round'),
      flag('d', 'directory', '-d', 'directories themselves, not what is in them'),
      flag('u', 'access-time', '-u', 'time of the last access'),
      flag('1', 'names', '-C', 'paths only'),
      flag('q', 'printable', '-q', '? for characters that do not print'),
      human,
      exactBytes,
    ],
    examples: ['/', '-R /data', '-tb "/data/*.parquet"', '--json /data'],
  },
  put: {
    verb: 'put',
    usage: '[-fpd] LOCAL… TARGET',
    summary: 'copy local files to the cluster',
    doc: 'Copies files and directories; - is standard input.',
    flags: [overwrite, preserve, direct, copiesAll, replication, blockSize],
    examples: ['flights.parquet /data/', '-f --replication 2 ./logs /logs', '- /data/typed.txt'],
  },
  get: {
    verb: 'get',
    usage: '[-fp] PATH… LOCAL',
    summary: 'copy files from the cluster',
    doc: 'Copies files and directories, every byte checked; - is standard output.',
    flags: [overwrite, preserve, copiesAll],
    examples: ['/data/flights.parquet .', '/data backup', '/data/notes.txt -'],
  },
  cat: {
    verb: 'cat',
    usage: 'PATH…',
    summary: 'print files',
    doc: 'Writes files to standard output.',
    flags: [],
    examples: ['/data/notes.txt', '"/logs/*.log" | wc -l'],
  },
  text: {
    verb: 'text',
    usage: 'PATH…',
    summary: 'print files, unpacked',
    doc: 'As cat, but gzip and zlib files are unpacked.',
    flags: [],
    examples: ['/logs/a.log.gz'],
  },
  head: {
    verb: 'head',
    usage: 'PATH',
    summary: 'print the beginning of a file',
    doc: 'The first 1,024 bytes.',
    flags: [],
    examples: ['/data/notes.txt'],
  },
  tail: {
    verb: 'tail',
    usage: '[-f] PATH',
    summary: 'print the end of a file',
    doc: 'The last 1,024 bytes.',
    flags: [
      flag('f', 'follow', '-f', 'go on with what is appended'),
      { short: 's', long: 'interval', value: 'MS', words: (ms) => ['-s', ms], doc: 'how often to look (5000)' },
    ],
    examples: ['-f -s 1000 /logs/app.log'],
  },
  mkdir: {
    verb: 'mkdir',
    usage: '[-p] PATH…',
    summary: 'make directories',
    doc: 'Makes directories.',
    flags: [flag('p', 'parents', '-p', 'with their parents; existing ones are fine')],
    examples: ['-p /data/2026/11'],
  },
  rm: {
    verb: 'rm',
    usage: '[-rf] PATH…',
    summary: 'delete, into the trash',
    doc: 'Moves files into /user/YOU/.Trash, where they stay for trash.interval; what is in the trash already is deleted.',
    flags: [
      flag('r', 'recursive', '-r', 'directories with all below them'),
      flag('R', 'all-below', '-r', 'the same'),
      flag('f', 'force', '-f', 'missing files are fine'),
      flag(undefined, 'skip-trash', '-skipTrash', 'delete for good'),
      flag('i', 'safely', '-safely', 'ask before deleting more than 100 files for good'),
    ],
    examples: ['/data/old.csv', '-r --skip-trash /tmp/run-17'],
  },
  rmdir: {
    verb: 'rmdir',
    usage: 'PATH…',
    summary: 'delete empty directories',
    doc: 'Deletes directories that are empty.',
    flags: [flag(undefined, 'ignore-fail-on-non-empty', '--ignore-fail-on-non-empty', 'leave others in peace')],
    examples: ['/data/empty'],
  },
  mv: {
    verb: 'mv',
    usage: 'PATH… TARGET',
    summary: 'rename or move',
    doc: 'Renames within the cluster; no byte moves. Into the target when that is a directory.',
    flags: [],
    examples: ['/data/a.csv /data/b.csv', '/in/*.csv /archive/'],
  },
  cp: {
    verb: 'cp',
    usage: '[-fpd] PATH… TARGET',
    summary: 'copy within the cluster',
    doc: 'Copies files and directories.',
    flags: [overwrite, preserve, direct, copiesAll, replication, blockSize],
    examples: ['/data/a.csv /backup/'],
  },
  du: {
    verb: 'du',
    usage: '[-sb] [PATH…]',
    summary: 'space that files take',
    doc: 'Bytes, bytes with all copies, path.',
    defaults: ['-h'],
    flags: [
      flag('s', 'summarize', '-s', 'the arguments only'),
      flag('v', 'header', '-v', 'a line with names of the columns'),
      human,
      exactBytes,
    ],
    examples: ['-s /data', '-b /user'],
  },
  df: {
    verb: 'df',
    usage: '[-b]',
    summary: 'space of the cluster',
    doc: 'Capacity, used and free bytes.',
    defaults: ['-h'],
    flags: [human, exactBytes],
    examples: [''],
  },
  stat: {
    verb: 'stat',
    usage: '[-c FORMAT] PATH…',
    summary: 'what is known of a file',
    doc: 'Formats: %a octal mode, %A mode, %b bytes, %F type, %g group, %n name, %o block size, %r copies, %u owner, %x %y times in UTC, %X %Y in ms.',
    defaults: [statFormat],
    flags: [
      {
        short: 'c',
        long: 'format',
        value: 'FORMAT',
        words: (format) => [`!${statFormat}`, format.includes('%') ? format : `${format}%`],
        doc: 'what to print',
      },
    ],
    examples: ['/data/a.csv', '-c "%b %n" "/data/*"', '--json /data/a.csv'],
  },
  count: {
    verb: 'count',
    usage: '[-qb] PATH…',
    summary: 'directories, files, bytes',
    doc: 'Counts what is below a path.',
    defaults: ['-h'],
    flags: [flag('q', 'quota', '-q', 'with quotas'), flag('v', 'header', '-v', 'a line with names of the columns'), human, exactBytes],
    examples: ['-qv /user'],
  },
  find: {
    verb: 'find',
    usage: 'PATH… [-name GLOB] [-iname GLOB] [-print0]',
    summary: 'find files by name',
    doc: 'Walks what is below the paths.',
    passThrough: true,
    flags: [],
    examples: ['/data -name "*.parquet"'],
  },
  test: {
    verb: 'test',
    usage: '-d|-e|-f|-s|-z|-r|-w PATH',
    summary: 'ask about a path by exit code',
    doc: 'Exit code 0: yes, 1: no.',
    passThrough: true,
    flags: [],
    examples: ['-e /data/done'],
  },
  touch: {
    verb: 'touch',
    usage: '[-cam] PATH…',
    summary: 'make empty files, set times',
    doc: 'Sets times to now; makes files that are not there.',
    flags: [
      flag('c', 'no-create', '-c', 'make no file'),
      flag('a', 'access', '-a', 'only the time of access'),
      flag('m', 'modified', '-m', 'only the time of change'),
    ],
    examples: ['/data/_SUCCESS'],
  },
  chmod: {
    verb: 'chmod',
    usage: '[-R] MODE PATH…',
    summary: 'change modes',
    doc: 'Octal (640, 1777) or clauses (u+rwx,g-w,o=r).',
    paths: /^-[rwxXt]+(,|$)/,
    flags: [recursive],
    examples: ['640 /data/a.csv', '-R g+w /shared'],
  },
  chown: {
    verb: 'chown',
    usage: '[-R] OWNER[:GROUP] PATH…',
    summary: 'change owners',
    doc: 'Only the superuser may give files away.',
    flags: [recursive],
    examples: ['-R ann:staff /user/ann'],
  },
  chgrp: {
    verb: 'chgrp',
    usage: '[-R] GROUP PATH…',
    summary: 'change groups',
    doc: 'To a group the owner is in.',
    flags: [recursive],
    examples: ['staff /shared'],
  },
  setrep: {
    verb: 'setrep',
    usage: '[-w] N PATH…',
    summary: 'change the number of copies',
    doc: 'Of files, and of all files below directories.',
    flags: [flag('w', 'wait', '-w', 'until the copies are there')],
    examples: ['-w 2 /data'],
  },
  checksum: {
    verb: 'checksum',
    usage: '[-v] PATH…',
    summary: "HDFS's checksum of files",
    doc: 'Equal for equal bytes, block size and chunk size.',
    flags: [flag('v', 'block-size', '-v', 'with the block size')],
    examples: ['/data/a.csv'],
  },
  append: {
    verb: 'appendToFile',
    usage: 'LOCAL… PATH',
    summary: 'append local files',
    doc: 'Appends to a file, which is made when it is not there; - is standard input.',
    flags: [],
    examples: ['today.log /logs/all.log'],
  },
  merge: {
    verb: 'getmerge',
    usage: '[-n] PATH… LOCAL',
    summary: 'files of a directory as one local file',
    doc: 'Sorted by name.',
    flags: [
      flag('n', 'newline', '-nl', 'a newline after each file'),
      flag(undefined, 'skip-empty-file', '-skip-empty-file', 'but not after empty ones'),
    ],
    examples: ['/out result.csv'],
  },
  truncate: {
    verb: 'truncate',
    usage: '[-w] LENGTH PATH…',
    summary: 'shorten files',
    doc: 'Cuts files to a length in bytes.',
    flags: [flag('w', 'wait', '-w', 'until the last block is cut')],
    examples: ['1024 /logs/a.log'],
  },
  concat: {
    verb: 'concat',
    usage: 'TARGET PATH PATH…',
    summary: 'join files without moving bytes',
    doc: 'The sources are gone afterwards.',
    flags: [],
    examples: ['/out/all /out/part-1 /out/part-2'],
  },
  expunge: {
    verb: 'expunge',
    usage: '[--immediate]',
    summary: 'empty the trash',
    doc: 'Seals your trash and deletes what has been there longer than trash.interval.',
    flags: [flag(undefined, 'immediate', '-immediate', 'delete all of it now')],
    examples: ['--immediate'],
  },
}
