// Bounds of the HTTP servers that speak WebHDFS.

export const httpLimits = {
  /** A client that takes longer to send its headers is let go, in ms. */
  headersTimeout: 10_000,
  /** Clients keep connections; HDFS's Jetty lets an idle one go after as long, in ms. */
  keepAliveTimeout: 60_000,
  /** Lists of files to concatenate stand in the address. HDFS (hadoop.http.max.request.header.size). */
  maxHeaderSize: 65_536,
} as const
