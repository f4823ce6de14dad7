// Ports on 127.0.0.1 for roles that are about to start.
import { createServer } from 'node:net'
import { QuarryError } from '../../common/errors.ts'

/** Listens on a port and closes again: 0 finds a free one. `flag` chooses another. Throws IN_USE, or PERMISSION_DENIED for a port below 1024. */
export function probePort(host: string, port: number, flag = '--port'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(
          new QuarryError(
            'IN_USE',
            `port ${port} on ${host} is in use by another program; choose another one with ${flag}, or stop that program`,
            { port },
          ),
        )
      else if (error.code === 'EACCES')
        reject(
          new QuarryError('PERMISSION_DENIED', `this user may not listen on port ${port}; choose one above 1023 with ${flag}`, { port }),
        )
      else reject(new QuarryError('CONFIG', `cannot listen on ${host}:${port}: ${error.code ?? error.message}`, { port }, { cause: error }))
    })
    server.listen(port, host, () => {
      const address = server.address()
      const bound = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(bound))
    })
  })
}
