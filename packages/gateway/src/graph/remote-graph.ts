import { fetchBounded } from '../authenticate/fetch-bounded.ts'
import { describeCause } from '../describe-cause.ts'
import { type GraphSource, graphText, type GraphText } from './graph-source.ts'
import { poll } from './poll.ts'
import { GraphRefused } from './read-graph.ts'
import { requireGraphUrl } from './require-graph-url.ts'

/** A graph that is fetched, and asked for again from time to time. Who serves it decides who may see and do what. */
export interface RemoteGraph {
  /** `https`, or `http` of this machine; no credential in it. What follows its path is never logged. */
  readonly url: string
  /** Milliseconds from one look to the next; after failures they are more, up to ten times as many. Default 30,000. */
  readonly everyMs?: number
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
  /** Milliseconds for the whole of an answer. Default 10,000. */
  readonly timeoutMs?: number
  /** Bytes of it. Default 16 MiB. */
  readonly maxBytes?: number
}

const defaultEveryMs = 30_000

/** @throws {TypeError} for a URL that cannot be used; no secret is in the message. */
export function remoteGraph({
  url,
  token,
  everyMs = defaultEveryMs,
  timeoutMs = 10_000,
  maxBytes = 16 * 1024 * 1024,
}: RemoteGraph): GraphSource {
  const name = requireGraphUrl(url)
  let last: (GraphText & { readonly etag: string }) | null = null

  async function fetchGraph(signal: AbortSignal): Promise<GraphText> {
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(last !== null && { 'if-none-match': last.etag }),
    }
    const { status, etag, text } = await fetchBounded(url, { timeoutMs, maxBytes, headers, signal })
    if (status === 304 && last !== null) return last
    if (status !== 200) throw new Error(`it answered ${status}`)
    const read = graphText(text)
    last = etag === null ? null : { ...read, etag }
    return read
  }

  return {
    name,
    async read(signal) {
      try {
        return await fetchGraph(signal)
      } catch (cause) {
        const why = describeCause(cause) ?? 'it does not answer'
        throw new GraphRefused({ message: `The graph cannot be read from ${name}: ${why}`, file: name })
      }
    },
    follow: (_known, look) => poll(look, { everyMs }),
  }
}
