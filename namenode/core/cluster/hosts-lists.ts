// The lists of datanodes that may join (hosts.include) and that are to leave (hosts.exclude), as HDFS keeps them in files: words
// separated by blanks and line ends, `#` begins a comment.
import type { DatanodeId } from '../../../proto/ports.ts'

export interface HostLists {
  /** Empty = everybody may join. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

export const noHostLists: HostLists = { include: [], exclude: [] }

export function parseHosts(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.replace(/#.*$/, '').split(/\s+/))
    .filter((word) => word !== '')
}

/** All names by which an operator may call a datanode. */
export function namesOf(id: DatanodeId): string[] {
  const hosts = [id.ip, id.hostname].filter((host) => host !== '')
  const ports = [id.grpcPort, id.transferPort].filter((port) => port > 0)
  return [id.uuid, ...hosts, ...hosts.flatMap((host) => ports.map((port) => `${host}:${port}`))]
}

export function isNamed(names: readonly string[], id: DatanodeId): boolean {
  const own = namesOf(id)
  return names.some((name) => own.includes(name))
}

export function mayJoin(lists: HostLists, id: DatanodeId): boolean {
  return lists.include.length === 0 || isNamed(lists.include, id)
}
