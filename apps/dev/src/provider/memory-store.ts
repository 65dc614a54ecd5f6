import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

interface Entry {
  payload: AdapterPayload
  expiresAt: number
}

/** More than a newcomer's afternoon needs; expired entries go first, then the oldest. */
const capacity = 5000

/**
 * Where the development provider keeps sessions, grants and codes: in memory, for this process alone.
 * That is what is wanted here (a restart signs everybody out) and would be wrong anywhere else.
 */
export function createMemoryStore(clock: () => number = Date.now): AdapterFactory {
  const entries = new Map<string, Entry>()

  const makeRoom = () => {
    const now = clock()
    for (const [key, entry] of entries) if (entry.expiresAt <= now) entries.delete(key)
    for (const key of entries.keys()) {
      if (entries.size < capacity) break
      entries.delete(key)
    }
  }

  return (model: string): Adapter => {
    const prefix = `${model}:`
    const findWhere = (matches: (payload: AdapterPayload) => boolean) => {
      const now = clock()
      for (const [key, { payload, expiresAt }] of entries) {
        if (key.startsWith(prefix) && expiresAt > now && matches(payload)) return payload
      }
      return undefined
    }

    return {
      async upsert(id, payload, expiresIn) {
        if (entries.size >= capacity) makeRoom()
        entries.set(prefix + id, {
          payload,
          expiresAt: expiresIn === undefined ? Infinity : clock() + expiresIn * 1000,
        })
      },
      async find(id) {
        const entry = entries.get(prefix + id)
        return entry && entry.expiresAt > clock() ? entry.payload : undefined
      },
      async findByUid(uid) {
        return findWhere((payload) => payload.uid === uid)
      },
      async findByUserCode(userCode) {
        return findWhere((payload) => payload.userCode === userCode)
      },
      async consume(id) {
        const entry = entries.get(prefix + id)
        if (entry) entry.payload.consumed = Math.floor(clock() / 1000)
      },
      async destroy(id) {
        entries.delete(prefix + id)
      },
      // Called on one model, and means everything issued under the grant.
      async revokeByGrantId(grantId) {
        for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key)
      },
    }
  }
}
