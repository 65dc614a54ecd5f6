import pg from 'pg'

export interface Listener {
  close(): Promise<void>
}

const firstDelayMs = 100
const longestDelayMs = 10_000
/** For the goodbye, which nobody may be there to hear. */
const closeWithinMs = 1000

/**
 * Hears `NOTIFY channel` from when it resolves until it is closed. What is sent while the connection is being made
 * again is not heard: whoever must not miss anything reads it from a table as well.
 *
 * @param onGap - called when it is heard again after a time in which it was not
 * @throws if the first connection cannot be made
 */
export async function listenOn(
  url: string,
  channel: string,
  onPayload: (payload: string) => void,
  onGap: () => void = () => undefined,
): Promise<Listener> {
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let client: pg.Client | undefined

  async function connect(): Promise<void> {
    const next = new pg.Client({ connectionString: url, keepAlive: true, connectionTimeoutMillis: 10_000 })
    let lost = false
    const lose = () => {
      if (lost) return
      lost = true
      void next.end().catch(() => undefined)
      if (client === next) again(firstDelayMs)
    }
    next.on('error', lose)
    next.on('end', lose)
    next.on('notification', (message) => onPayload(message.payload ?? ''))
    try {
      await next.connect()
      await next.query(`listen ${pg.escapeIdentifier(channel)}`)
    } catch (error) {
      lost = true
      void next.end().catch(() => undefined)
      throw error
    }
    client = next
    // Closed, or lost, while it was being made.
    if (closed) await next.end()
    else if (lost) again(firstDelayMs)
  }

  function again(delayMs: number): void {
    client = undefined
    if (closed) return
    // With jitter, so that all replicas do not come back in the same instant.
    timer = setTimeout(
      () => {
        connect().then(onGap, () => again(Math.min(delayMs * 2, longestDelayMs)))
      },
      delayMs * (0.5 + Math.random()),
    )
  }

  await connect()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      const last = client
      client = undefined
      const late = Promise.withResolvers<void>()
      const timeout = setTimeout(late.resolve, closeWithinMs)
      await Promise.race([last?.end(), late.promise])
      clearTimeout(timeout)
    },
  }
}
