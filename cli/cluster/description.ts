// A running cluster as `quarry up --json` and `quarry status --json` describe it.
import type { RunningRecord } from './directory.ts'

/** The shape of `quarry up --json`. */
export interface ClusterDescription {
  readonly uri: string
  /** For Hadoop clients: hdfs://host:port; missing when that door is closed. */
  readonly hdfs?: string
  /** http://host:port, the root of /webhdfs/v1. */
  readonly webhdfs?: string
  readonly dir: string
  readonly namenode: { readonly pid: number; readonly grpc: string; readonly http: string }
  readonly datanodes: readonly {
    readonly id: string
    readonly name: string
    readonly pid: number
    readonly grpc: string
    readonly http: string
    readonly dir: string
  }[]
}

export function describeRunning(dir: string, record: RunningRecord): ClusterDescription {
  const [namenode, ...datanodes] = record.roles
  return {
    uri: record.uri,
    ...(record.hdfs !== undefined && { hdfs: record.hdfs }),
    ...(record.webhdfs !== undefined && { webhdfs: record.webhdfs }),
    dir,
    namenode: { pid: namenode?.pid ?? 0, grpc: namenode?.grpc ?? '', http: namenode?.http ?? '' },
    datanodes: datanodes.map((role) => ({
      id: role.uuid ?? '',
      name: role.name,
      pid: role.pid,
      grpc: role.grpc,
      http: role.http,
      dir: role.dir,
    })),
  }
}
