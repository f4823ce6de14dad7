// The pages of the namenode beside WebHDFS, put together.
import type { Logger } from '../../../common/env.ts'
import type { Settings } from '../../../common/options.ts'
import { configuration } from '../../../proto/hadoop-http/hadoop-keys.ts'
import { HadoopPages } from '../../../proto/hadoop-http/pages.ts'
import { processBeans } from '../../../proto/hadoop-http/process-beans.ts'
import { activityBeans } from './activity-beans.ts'
import type { ActivityFacts } from './activity-beans.ts'
import { namesystemBeans } from './namesystem-beans.ts'
import type { NamesystemFacts } from './namesystem-beans.ts'

export interface NamenodePagesDeps extends Omit<NamesystemFacts, 'address'>, ActivityFacts {
  readonly settings: Settings
  readonly log: Logger
  /** Where others reach this namenode. */
  readonly host: string
  /** Native. */
  readonly port: number
}

export function namenodePages(deps: NamenodePagesDeps): HadoopPages {
  const { settings, log, host, hadoop, startedMs } = deps
  const address = `${host}:${hadoop?.port ?? deps.port}`
  const facts: NamesystemFacts = { ...deps, address }
  return new HadoopPages({
    title: `Quarry namenode ${address}`,
    log,
    beans: [
      ...namesystemBeans(facts),
      ...activityBeans(deps),
      ...processBeans({ process: 'NameNode', startedMs, nowMs: () => deps.nowMs() }),
    ],
    configuration: configuration(settings, 'namenode', [
      { name: 'fs.defaultFS', value: hadoop ? `hdfs://${address}` : `quarry://${address}` },
      { name: 'dfs.namenode.rpc-address', value: hadoop ? address : '' },
      { name: 'dfs.namenode.name.dir', value: settings['dir'] },
    ]),
    links: [
      { path: '/health', what: 'whether it serves reads and writes' },
      { path: '/status', what: 'the cluster as JSON' },
      { path: '/metrics', what: 'figures for Prometheus' },
      { path: '/webhdfs/v1/?op=LISTSTATUS', what: 'the root directory by WebHDFS' },
    ],
  })
}
