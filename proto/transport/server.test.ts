// The server's windows as the other end sees them, and the life of a server.
import http2 from 'node:http2'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { callWindowBytes, createGrpcServer, frameBytesMax, sessionWindowBytes, streamWindowBytes } from './server.ts'

describe('createGrpcServer', () => {
  it('offers wide windows and large frames to its peers', async () => {
    const server = createGrpcServer()
    const port = await server.listen('127.0.0.1', 0)
    const session = http2.connect(`http://127.0.0.1:${port}`)
    try {
      const [settings] = (await once(session, 'remoteSettings')) as [http2.Settings]
      expect(settings.initialWindowSize).toBe(streamWindowBytes)
      expect(settings.maxFrameSize).toBe(frameBytesMax)
      // The connection's window comes in a WINDOW_UPDATE right behind the settings.
      for (let i = 0; i < 200 && session.state.remoteWindowSize !== sessionWindowBytes; i++)
        await new Promise((resolve) => setTimeout(resolve, 10))
      expect(session.state.remoteWindowSize).toBe(sessionWindowBytes)
    } finally {
      session.destroy()
      await server.close()
    }
  })

  it('lets streams of calls send no more ahead than it says', async () => {
    const server = createGrpcServer({ windowBytes: callWindowBytes })
    const port = await server.listen('127.0.0.1', 0)
    const session = http2.connect(`http://127.0.0.1:${port}`)
    try {
      const [settings] = (await once(session, 'remoteSettings')) as [http2.Settings]
      expect(settings.initialWindowSize).toBe(callWindowBytes)
    } finally {
      session.destroy()
      await server.close()
    }
  })

  it('says that a port is in use', async () => {
    const first = createGrpcServer()
    const second = createGrpcServer()
    try {
      const port = await first.listen('127.0.0.1', 0)
      await expect(second.listen('127.0.0.1', port)).rejects.toMatchObject({
        code: 'IN_USE',
        message: expect.stringContaining(`Port ${port} on 127.0.0.1 is in use`),
      })
    } finally {
      await second.close()
      await first.close()
    }
  })

  it('frees its port when closed, and closes twice', async () => {
    const first = createGrpcServer()
    const port = await first.listen('127.0.0.1', 0)
    await first.drain(100)
    await first.close()
    const second = createGrpcServer()
    expect(await second.listen('127.0.0.1', port)).toBe(port)
    await second.close()
  })
})
