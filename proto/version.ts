// History of the native wire. A peer with another number is refused with a clear error.
//   1  first version: metadata calls, datanode session, data plane, fragments
//   2  operators' calls (node states, balancer, open and corrupt files, replicas, checksum, backup), slow peers and bandwidth in
//      the session, time taken in packet acks
//   3  ACLs, extended attributes, storage policies, quotas by type of storage; permissions before the umask; where WebHDFS is reached

export const protocolVersion = 3

/** Of the program, as in package.json: what a server calls itself. */
export const release = '0.1.0'
