// The verbs of the shell: their usage lines, as Hadoop prints them, and where each lives. A verb is loaded when it is called.
import type { Shell } from './shell.ts'
import type { Verb } from './verb.ts'

export interface VerbEntry {
  /** Arguments, as the usage shows them. */
  readonly usage: string
  readonly load: () => Promise<new (shell: Shell, name: string) => Verb>
  /** Left out of the usage: an old spelling of this. */
  readonly replacement?: string
}

const snapshot = async (): Promise<new (shell: Shell, name: string) => Verb> => (await import('./verbs/snapshot.ts')).Snapshot

/** In the order of the usage. */
export const verbs: Readonly<Record<string, VerbEntry>> = {
  appendToFile: { usage: '[-n] <localsrc> ... <dst>', load: async () => (await import('./verbs/append.ts')).AppendToFile },
  cat: { usage: '[-ignoreCrc] <src> ...', load: async () => (await import('./verbs/cat.ts')).Cat },
  checksum: { usage: '[-v] <src> ...', load: async () => (await import('./verbs/checksum.ts')).Checksum },
  chgrp: { usage: '[-R] GROUP PATH...', load: async () => (await import('./verbs/chown.ts')).Chgrp },
  chmod: { usage: '[-R] <MODE[,MODE]... | OCTALMODE> PATH...', load: async () => (await import('./verbs/chmod.ts')).Chmod },
  chown: { usage: '[-R] [OWNER][:[GROUP]] PATH...', load: async () => (await import('./verbs/chown.ts')).Chown },
  concat: { usage: '<target path> <src path> <src path> ...', load: async () => (await import('./verbs/concat.ts')).Concat },
  copyFromLocal: {
    usage: '[-f] [-p] [-l] [-d] [-t <thread count>] [-q <thread pool queue size>] <localsrc> ... <dst>',
    load: async () => (await import('./verbs/put.ts')).Put,
  },
  copyToLocal: {
    usage: '[-f] [-p] [-crc] [-ignoreCrc] [-t <thread count>] [-q <thread pool queue size>] <src> ... <localdst>',
    load: async () => (await import('./verbs/get.ts')).Get,
  },
  count: {
    usage: '[-q] [-h] [-v] [-t [<storage type>]] [-u] [-x] [-e] [-s] <path> ...',
    load: async () => (await import('./verbs/count.ts')).Count,
  },
  cp: {
    usage: '[-f] [-p | -p[topax]] [-d] [-t <thread count>] [-q <thread pool queue size>] <src> ... <dst>',
    load: async () => (await import('./verbs/cp.ts')).Cp,
  },
  createSnapshot: { usage: '<snapshotDir> [<snapshotName>]', load: snapshot },
  deleteSnapshot: { usage: '<snapshotDir> <snapshotName>', load: snapshot },
  df: { usage: '[-h] [<path> ...]', load: async () => (await import('./verbs/df.ts')).Df },
  du: { usage: '[-s] [-h] [-v] [-x] <path> ...', load: async () => (await import('./verbs/du.ts')).Du },
  expunge: { usage: '[-immediate] [-fs <path>]', load: async () => (await import('./verbs/expunge.ts')).Expunge },
  find: { usage: '<path> ... <expression> ...', load: async () => (await import('./verbs/find.ts')).Find },
  get: {
    usage: '[-f] [-p] [-crc] [-ignoreCrc] [-t <thread count>] [-q <thread pool queue size>] <src> ... <localdst>',
    load: async () => (await import('./verbs/get.ts')).Get,
  },
  getfacl: { usage: '[-R] <path>', load: async () => (await import('./verbs/facl.ts')).Getfacl },
  getfattr: { usage: '[-R] {-n name | -d} [-e en] <path>', load: async () => (await import('./verbs/fattr.ts')).Getfattr },
  getmerge: { usage: '[-nl] [-skip-empty-file] <src> <localdst>', load: async () => (await import('./verbs/getmerge.ts')).Getmerge },
  head: { usage: '<file>', load: async () => (await import('./verbs/head.ts')).Head },
  help: { usage: '[cmd ...]', load: async () => (await import('./verbs/help.ts')).Help },
  ls: { usage: '[-C] [-d] [-h] [-q] [-R] [-t] [-S] [-r] [-u] [-e] [<path> ...]', load: async () => (await import('./verbs/ls.ts')).Ls },
  mkdir: { usage: '[-p] <path> ...', load: async () => (await import('./verbs/mkdir.ts')).Mkdir },
  moveFromLocal: { usage: '[-f] [-p] [-l] [-d] <localsrc> ... <dst>', load: async () => (await import('./verbs/put.ts')).MoveFromLocal },
  moveToLocal: { usage: '<src> <localdst>', load: async () => (await import('./verbs/move-to-local.ts')).MoveToLocal },
  mv: { usage: '<src> ... <dst>', load: async () => (await import('./verbs/mv.ts')).Mv },
  put: {
    usage: '[-f] [-p] [-l] [-d] [-t <thread count>] [-q <thread pool queue size>] <localsrc> ... <dst>',
    load: async () => (await import('./verbs/put.ts')).Put,
  },
  renameSnapshot: { usage: '<snapshotDir> <oldName> <newName>', load: snapshot },
  rm: { usage: '[-f] [-r|-R] [-skipTrash] [-safely] <src> ...', load: async () => (await import('./verbs/rm.ts')).Rm },
  rmdir: { usage: '[--ignore-fail-on-non-empty] <dir> ...', load: async () => (await import('./verbs/rmdir.ts')).Rmdir },
  setfacl: {
    usage: '[-R] [{-b|-k} {-m|-x <acl_spec>} <path>]|[--set <acl_spec> <path>]',
    load: async () => (await import('./verbs/facl.ts')).Setfacl,
  },
  setfattr: { usage: '{-n name [-v value] | -x name} <path>', load: async () => (await import('./verbs/fattr.ts')).Setfattr },
  setrep: { usage: '[-R] [-w] <rep> <path> ...', load: async () => (await import('./verbs/setrep.ts')).Setrep },
  stat: { usage: '[format] <path> ...', load: async () => (await import('./verbs/stat.ts')).StatVerb },
  tail: { usage: '[-f] [-s <sleep interval>] <file>', load: async () => (await import('./verbs/tail.ts')).Tail },
  test: { usage: '-[defswrz] <path>', load: async () => (await import('./verbs/test.ts')).Test },
  text: { usage: '[-ignoreCrc] <src> ...', load: async () => (await import('./verbs/text.ts')).Text },
  touch: {
    usage: '[-a] [-m] [-t TIMESTAMP (yyyyMMdd:HHmmss) ] [-c] <path> ...',
    load: async () => (await import('./verbs/touch.ts')).Touch,
  },
  touchz: { usage: '<path> ...', load: async () => (await import('./verbs/touch.ts')).Touchz },
  truncate: { usage: '[-w] <length> <path> ...', load: async () => (await import('./verbs/truncate.ts')).Truncate },
  usage: { usage: '[cmd ...]', load: async () => (await import('./verbs/help.ts')).Usage },
  // Old spellings; they work, warn, and are not in the usage.
  dus: { usage: '', load: async () => (await import('./verbs/du.ts')).Du, replacement: 'du -s' },
  lsr: { usage: '', load: async () => (await import('./verbs/ls.ts')).Ls, replacement: 'ls -R' },
  rmr: { usage: '', load: async () => (await import('./verbs/rm.ts')).Rm, replacement: '-rm -r' },
}
