// One datanode's part in a write pipeline, whatever wire the writer speaks.
//
//   writer ──packet──▶ this node ──same bytes──▶ next node ──▶ …
//          ◀───ack────          ◀──────ack──────
//
// A packet is handed on at once, written here meanwhile, and acknowledged when it is written here *and* acknowledged from below.
// Only the last node checks the checksums (every node does for copies, whose source may be a bad disk): a packet that was
// damaged on its way is found there, and each node above looks at its own copy to say whose fault it was.
//
// P1  acks leave in the order of the packets
// P2  bytes acknowledged to the writer are written on this node and on every node below
// P3  a replica is finalised only after the nodes below acknowledged its last packet
// P4  whatever fails, the reply says which node, and both sides are closed: nobody waits for ever
//
// What this does not do: choosing nodes and starting recoveries, which are the writer's business.
import { pipelinePatienceMs } from '../../common/limits.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import { PipelineStatus, WriteStage } from '../../proto/ports.ts'
import type { WriteHeader, WriteReply } from '../../proto/ports.ts'
import { stallMs } from './pipeline-ports.ts'
import type { Downstream, IncomingPacket, PipelinePorts } from './pipeline-ports.ts'
import { PipelineStream } from './pipeline-stream.ts'
import type { ReplicaWriter } from './replica.ts'
import { within } from './within.ts'

export async function runPipeline(header: WriteHeader, packets: AsyncIterator<IncomingPacket>, ports: PipelinePorts): Promise<void> {
  const setup = await setUp(header, ports)
  if (setup === undefined) return
  const { writer, downstream } = setup
  const stream = new PipelineStream(header, writer, downstream, ports)
  try {
    if (header.stage === WriteStage.WRITE_CLOSE_RECOVERY) {
      await writer.finalize(() =>
        ports.reply({ setup: { status: PipelineStatus.PIPELINE_SUCCESS, storages: [writer.storageUuid, ...setup.storages] } }),
      )
      return
    }
    await ports.reply({ setup: { status: PipelineStatus.PIPELINE_SUCCESS, storages: [writer.storageUuid, ...setup.storages] } })
    await stream.run(packets)
  } finally {
    downstream?.cancel()
    await writer.close()
  }
}

async function setUp(
  header: WriteHeader,
  ports: PipelinePorts,
): Promise<{ writer: ReplicaWriter; downstream: Downstream | undefined; storages: string[] } | undefined> {
  let writer: ReplicaWriter
  try {
    writer = await ports.openReplica(header)
  } catch (thrown) {
    await refuse(ports, thrown, ports.uuid)
    return undefined
  }
  const next = header.targets[0]?.datanode
  if (next === undefined || next === null) return { writer, downstream: undefined, storages: [] }
  const downstream = ports.connect({
    ...header,
    targets: header.targets.slice(1),
    storageUuid: header.targets[0]?.storageUuid ?? '',
    storageType: header.targets[0]?.storageType ?? 0,
  })
  try {
    const reply = await within(
      ports.clock,
      pipelinePatienceMs(header.ackTimeoutMs || stallMs, header.targets.length),
      downstream.replies.next(),
      `Datanode ${next.uuid} did not answer.`,
    )
    const setup = reply.done ? undefined : (reply.value as WriteReply).setup
    if (setup === undefined || setup === null)
      throw new QuarryError('UNAVAILABLE', `Datanode ${next.uuid} ended the call before it answered.`)
    if (setup.status !== PipelineStatus.PIPELINE_SUCCESS) {
      await writer.close()
      downstream.cancel()
      const restarting = setup.status === PipelineStatus.PIPELINE_RESTARTING
      const status = restarting ? PipelineStatus.PIPELINE_RESTARTING : PipelineStatus.PIPELINE_ERROR
      await ports.reply({ setup: { status, firstBad: setup.firstBad || next.uuid, error: setup.error } })
      return undefined
    }
    return { writer, downstream, storages: setup.storages }
  } catch (thrown) {
    downstream.cancel()
    await writer.close()
    await refuse(ports, thrown, next.uuid)
    return undefined
  }
}

async function refuse(ports: PipelinePorts, thrown: unknown, firstBad: string): Promise<void> {
  const error = toQuarryError(thrown)
  ports.log.warn('pipeline.refused', { code: error.code, message: error.message, firstBad })
  const status = error.code === 'DISK_FULL' ? PipelineStatus.PIPELINE_ERROR_DISK_FULL : PipelineStatus.PIPELINE_ERROR
  await ports.reply({
    setup: { status, firstBad, error: { code: error.code, message: error.message, detailsJson: JSON.stringify(error.details) } },
  })
}
