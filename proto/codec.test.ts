// Proves that messages survive the wire with numbers as numbers and absent fields as their defaults.
import { describe, expect, it } from 'vitest'
import { codec, serviceDefinition } from './codec.ts'

describe('codec', () => {
  it('keeps ids up to 2^53 - 1 and negative sentinels exact', () => {
    const block = codec('Block')
    const message = { blockId: Number.MAX_SAFE_INTEGER, genstamp: 1001, length: -1 }
    expect({ ...block.decode(block.encode(message)) }).toEqual(message)
  })

  it('gives absent fields their defaults', () => {
    const status = codec('FileStatus').decode(codec('FileStatus').encode({}))
    expect([status.length, status.owner, status.locations, status.underConstruction]).toEqual([0, '', null, false])
  })

  it('names the call of a batch', () => {
    const batch = codec('CallBatch')
    const decoded = batch.decode(
      batch.encode({
        calls: [
          { id: 7, getFileInfo: { path: '/ä/😀' } },
          { id: 8, getServerDefaults: {} },
        ],
      }),
    )
    expect(decoded.calls.map((call) => [call.id, call.op, call[call.op!]])).toMatchObject([
      [7, 'getFileInfo', { path: '/ä/😀' }],
      [8, 'getServerDefaults', {}],
    ])
  })

  it('decodes bytes as a view of the message, without a copy', () => {
    const packet = codec('Packet')
    const wire = packet.encode({ data: Buffer.from('abc') })
    const data = packet.decode(wire).data
    expect(data.buffer).toBe(wire.buffer)
  })
})

describe('serviceDefinition', () => {
  it('names paths and directions as gRPC needs them', () => {
    const methods = serviceDefinition('Datanode')
    expect(Object.entries(methods).map(([name, m]) => [name, m.path, m.requestStream, m.responseStream])).toEqual([
      ['writeBlock', '/quarry.v1.Datanode/WriteBlock', true, true],
      ['readBlock', '/quarry.v1.Datanode/ReadBlock', false, true],
      ['replicaInfo', '/quarry.v1.Datanode/ReplicaInfo', false, false],
      ['blockChecksum', '/quarry.v1.Datanode/BlockChecksum', false, false],
      ['transferBlock', '/quarry.v1.Datanode/TransferBlock', false, false],
      ['initReplicaRecovery', '/quarry.v1.Datanode/InitReplicaRecovery', false, false],
      ['finishReplicaRecovery', '/quarry.v1.Datanode/FinishReplicaRecovery', false, false],
    ])
  })
})
