// Processes that die and machines that lose their power.
import { between, chance, pick } from '../world/random.ts'
import type { Fault } from './driver.ts'

/** How long a process or machine is down: mostly shorter than dead.after, sometimes longer. */
const downMs = [500, 90_000] as const

const killDatanode: Fault = ({ simulation, random, lasts, claimDatanode }) => {
  const { cluster } = simulation
  const role = pick(
    random,
    cluster.datanodes.filter(({ machine }) => machine.running),
  )
  const release = role && claimDatanode()
  if (!role || !release) return
  cluster.crash(role, 'killed')
  lasts(between(random, ...downMs), () => {
    cluster.startAgain(role)
    release()
  })
}

const powerDatanode: Fault = ({ simulation, random, lasts, claimDatanode }) => {
  const { cluster } = simulation
  const role = pick(
    random,
    cluster.datanodes.filter(({ machine }) => machine.running),
  )
  const release = role && claimDatanode()
  if (!role || !release) return
  cluster.crash(role, 'power')
  simulation.powerFailed()
  lasts(between(random, 5_000, 90_000), () => {
    cluster.startAgain(role)
    release()
  })
}

/** Everybody at once: what was closed is on the disks of all its datanodes. */
const powerAll: Fault = ({ simulation, random, lasts }) => {
  const { cluster } = simulation
  for (const role of [cluster.namenode, ...cluster.datanodes]) {
    cluster.crash(role, 'power')
    lasts(between(random, 5_000, 30_000), () => cluster.startAgain(role))
  }
  simulation.powerFailed()
}

const killNamenode: Fault = ({ simulation, random, lasts }) => {
  const { cluster } = simulation
  cluster.crash(cluster.namenode, chance(random, 0.5) ? 'killed' : 'power')
  lasts(between(random, 500, 20_000), () => cluster.startAgain(cluster.namenode))
}

/** The namenode dies in its next commit, before or after it is durable. */
const crashCommit: Fault = ({ simulation, random, lasts }) => {
  const { cluster } = simulation
  const { namenode } = cluster
  const durable = chance(random, 0.5)
  namenode.store.faultOf = () => {
    namenode.store.faultOf = () => undefined
    return {
      kind: 'crash',
      durable,
      die: () => {
        cluster.crash(namenode, 'killed')
        lasts(between(random, 500, 20_000), () => cluster.startAgain(namenode))
      },
    }
  }
  lasts(30_000, () => (namenode.store.faultOf = () => undefined))
}

const killClient: Fault = ({ simulation, random }) => {
  const seat = pick(random, simulation.seats)
  if (seat) simulation.killActor(seat, between(random, 500, 30_000))
}

export const crashFaults = {
  'datanode-kill': killDatanode,
  'datanode-power': powerDatanode,
  'all-power': powerAll,
  'namenode-kill': killNamenode,
  'commit-crash': crashCommit,
  'client-kill': killClient,
}
