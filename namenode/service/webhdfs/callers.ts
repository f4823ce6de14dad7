// Who calls over HTTP, and his calls: each request says anew who it comes from, and all requests of a user share his place in the
// queue of admission.
import type { QuarryError } from '../../../common/errors.ts'
import type { Command, Method, ReplyOf, Request } from '../../../proto/ports.ts'
import type { WebUser } from '../../../proto/webhdfs/parameters.ts'
import type { Patron } from '../admission.ts'
import type { Front } from '../front.ts'

/** A user with requests under way. */
interface Place {
  readonly patron: Patron
  requests: number
}

export class WebCallers {
  readonly #front: Front
  readonly #places = new Map<string, Place>()

  constructor(front: Front) {
    this.#front = front
  }

  /** Runs `work` for the user. Throws NOT_AUTHORIZED when he calls for somebody for whom he may not. `address` is numeric. */
  async run<T>(who: WebUser, address: string, work: (caller: WebCaller) => Promise<T>): Promise<T> {
    const wait = this.#front.prepare(who.user)
    if (wait !== undefined) await wait
    this.#front.authorize(who.realUser, who.user, address)
    const place = this.#enter(who.user)
    try {
      return await work(new WebCaller(this.#front, place.patron, who, address))
    } finally {
      this.#leave(who.user, place)
    }
  }

  #enter(user: string): Place {
    let place = this.#places.get(user)
    if (place === undefined) {
      // Each connection has one request at a time: there is nothing to hold back.
      place = { patron: this.#front.admission.open(user, () => {}), requests: 0 }
      this.#places.set(user, place)
    }
    place.requests++
    return place
  }

  #leave(user: string, place: Place): void {
    if (--place.requests > 0) return
    this.#places.delete(user)
    this.#front.admission.close(place.patron)
  }
}

export class WebCaller {
  readonly user: string
  readonly realUser: string
  readonly address: string
  readonly #front: Front
  readonly #patron: Patron
  readonly #groups: readonly string[]

  constructor(front: Front, patron: Patron, who: WebUser, address: string) {
    this.#front = front
    this.#patron = patron
    this.user = who.user
    this.realUser = who.realUser
    this.address = address
    this.#groups = front.groups.current(who.user)
  }

  call<M extends Method>(method: M, request: Request<M>): Promise<ReplyOf<M>> {
    const context = {
      user: this.user,
      realUser: this.realUser,
      groups: this.#groups,
      remoteAddress: this.address,
      clientId: '',
      callId: 0,
      retryCount: 0,
      callerContext: 'webhdfs',
    }
    return new Promise((resolve, reject) => {
      const done = (error: QuarryError | undefined, reply: object): void => {
        if (error === undefined) resolve(reply as ReplyOf<M>)
        else reject(error)
      }
      this.#front.call(context, { method, request } as unknown as Command, done, this.#patron)
    })
  }
}
