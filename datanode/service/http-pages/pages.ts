// The pages of a datanode for operators and their tools, put together.
import type { Logger } from '../../../common/env.ts'
import type { Settings } from '../../../common/options.ts'
import { configuration } from '../../../proto/hadoop-http/hadoop-keys.ts'
import { HadoopPages } from '../../../proto/hadoop-http/pages.ts'
import { processBeans } from '../../../proto/hadoop-http/process-beans.ts'
import { datanodeBeans } from './beans.ts'
import type { DatanodeFacts } from './beans.ts'

export interface DatanodePagesDeps extends DatanodeFacts {
  readonly settings: Settings
  readonly log: Logger
  nowMs(): number
}

export function datanodePages(deps: DatanodePagesDeps): HadoopPages {
  const { settings, log, hostname, dataPort, ipcPort, startedMs } = deps
  const address = (port: number) => (port === 0 ? '' : `${hostname}:${port}`)
  return new HadoopPages({
    title: `Quarry datanode ${hostname}:${dataPort}`,
    log,
    beans: [...datanodeBeans(deps), ...processBeans({ process: 'DataNode', startedMs, nowMs: () => deps.nowMs() })],
    configuration: configuration(settings, 'datanode', [
      { name: 'dfs.datanode.address', value: address(dataPort) },
      { name: 'dfs.datanode.ipc.address', value: address(ipcPort) },
    ]),
    links: [
      { path: '/health', what: 'whether it is registered with the namenode' },
      { path: '/status', what: 'streams, storages and scans as JSON' },
      { path: '/metrics', what: 'figures for Prometheus' },
    ],
  })
}
