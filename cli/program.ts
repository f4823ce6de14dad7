// The commands as a table: a line of help and how to load each. Nothing is loaded but the command that was typed.
import type { Command } from 'commander'
import { plainVerbs } from './shell/plain-verbs.ts'

/** Flags in front of the command. */
export interface GlobalOptions {
  readonly fs?: string | undefined
  readonly user?: string | undefined
  readonly json?: boolean | undefined
}

type Registration = { register(program: Command): void }

/** Commands with a grammar of their own: they get their words as they are, and answer the exit code. */
export const directCommands: Readonly<
  Record<
    string,
    { readonly summary: string; readonly load: () => Promise<{ run(words: readonly string[], globals: GlobalOptions): Promise<number> }> }
  >
> = {
  dfs: { summary: "Hadoop's file system shell: quarry dfs -ls /", load: () => import('./commands/dfs.ts') },
  dfsadmin: { summary: 'report, safe mode, quotas, open files: quarry dfsadmin -report', load: () => import('./commands/dfsadmin.ts') },
  fsck: { summary: 'health of files and their blocks: quarry fsck /', load: () => import('./commands/fsck.ts') },
  storagepolicies: {
    summary: 'storage policies: quarry storagepolicies -listPolicies',
    load: () => import('./commands/storagepolicies.ts'),
  },
  balancer: { summary: 'even out how full the datanodes are: quarry balancer -threshold 5', load: () => import('./commands/balancer.ts') },
}

/** Commands that commander parses. */
export const registeredCommands: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Registration> }>> = {
  up: { summary: 'start a cluster on this machine', load: () => import('./commands/up.ts') },
  down: { summary: 'stop it', load: () => import('./commands/down.ts') },
  status: { summary: 'what it is doing', load: () => import('./commands/status.ts') },
  admin: { summary: 'datanodes in and out of service, backups: quarry admin nodes', load: () => import('./commands/admin.ts') },
  sql: { summary: 'query files where their blocks lie', load: () => import('./commands/sql.ts') },
  demo: { summary: 'the whole story on a fresh cluster', load: () => import('./commands/demo.ts') },
  debug: { summary: 'look inside: the edit log, leases, block files', load: () => import('./commands/debug.ts') },
  bench: { summary: 'measure a cluster', load: () => import('./commands/bench.ts') },
  namenode: { summary: 'run the namenode alone', load: () => import('./commands/namenode.ts') },
  datanode: { summary: 'run a datanode alone', load: () => import('./commands/datanode.ts') },
}

export function commandNames(): string[] {
  return [...Object.keys(plainVerbs), ...Object.keys(directCommands), ...Object.keys(registeredCommands)]
}

const section = (title: string, commands: Readonly<Record<string, { readonly summary: string }>>): string[] => [
  '',
  title,
  ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(16)}${summary}`),
]

export function programHelp(): string {
  return [
    'usage: quarry [--fs URI] [--user NAME] [--json] COMMAND …',
    '',
    'An HDFS-compatible store with a query engine beside the data.',
    '',
    'begin with:',
    '  quarry up --detach                 start a cluster in ~/.quarry',
    '  quarry put flights.parquet /data/  copy a file to it',
    '  quarry ls /data                    and look',
    '  quarry down                        stop it; the data stays',
    ...section('the cluster and what runs on it:', registeredCommands),
    ...section('files:', plainVerbs),
    ...section('as in Hadoop, with its flags, texts and exit codes:', directCommands),
    '',
    'which cluster: --fs URI, else $QUARRY_FS, else the one of `quarry up` in $QUARRY_DIR or ~/.quarry',
    'who asks: --user NAME, else $HADOOP_USER_NAME, else you',
    'more about a command: quarry COMMAND --help',
    'exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted, 141 nobody reads what is printed',
    "  dfs, dfsadmin and fsck have Hadoop's: 255 wrong command line (dfsadmin: any failure); fsck 1 corrupt, and with -blockId",
    '  2 decommissioned, 3 decommissioning, 4 in maintenance, 5 entering it, 6 stale; those of the balancer: quarry balancer -help',
    '',
  ].join('\n')
}
