import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AppError } from '@behalf/identity'
import proxyAddress from '@fastify/proxy-addr'
import type { FastifyBaseLogger } from 'fastify'
import type { AnswerClient, ClientAnswer } from './client-request.ts'
import { ClientGone } from './client-gone.ts'
import { compress, varies } from './compress-answers.ts'
import type { TakeDirectly } from './create-app.ts'
import type { Load } from './load.ts'
import { makeTxn } from './make-txn.ts'
import { noteRefusal, type WriteError } from './refuse.ts'

/** How what is posted to a path is answered. */
export interface DirectPost {
  readonly answer: AnswerClient
  readonly writeError: WriteError
  /** Whether it is one, by its head. Default: all are. */
  readonly takes?: (headers: IncomingHttpHeaders) => boolean
}

/**
 * Posts of JSON as nearly all are: what the framework does for each, only to find that there is nothing to be done, is a
 * tenth of the gateway's time (docs/reference/performance-profile.md). They are answered as by the framework's route of
 * the same path, which has all others.
 *
 * @param posts - by path.
 */
export function createDirectPosts(
  posts: Readonly<Record<string, DirectPost>>,
  options: {
    readonly load: Load
    readonly maxBodyBytes: number
    readonly trustedProxies: readonly string[]
    readonly log: FastifyBaseLogger
  },
): TakeDirectly {
  const { load, maxBodyBytes, trustedProxies, log } = options
  const byPath = new Map(Object.entries(posts))
  const isTrusted = trustedProxies.length > 0 ? proxyAddress.compile([...trustedProxies]) : null

  function toClientRequest(request: IncomingMessage, id: string, body: Buffer) {
    const { method = '', url = '', headers, socket } = request
    const ip = isTrusted === null ? (socket.remoteAddress ?? '') : proxyAddress(request, isTrusted)
    return { id, method, url, ip, headers, raw: request, body }
  }

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    { answer, writeError }: DirectPost,
    isClosing: () => boolean,
  ): Promise<void> {
    const txn = makeTxn()
    const refusalOf = (error: AppError): ClientAnswer => {
      const { body, headers } = writeError(error, txn)
      return { status: error.status, headers: { 'content-type': json, ...headers }, text: JSON.stringify(body) }
    }
    let answered: ClientAnswer
    try {
      load.arriving(request)
      const body = await bodyOf(request)
      load.arrived(request)
      const overload = load.admit(response)
      answered =
        overload === null
          ? await answer(toClientRequest(request, txn, body), new ClientGone(response))
          : refusalOf(overload)
    } catch (error) {
      answered = refusalOf(noteRefusal(error, log.child({ txn })))
    }
    await write(response, answered, request.headers, isClosing)
  }

  return (request, response, isClosing) => {
    const post = request.method === 'POST' ? byPath.get(request.url ?? '') : undefined
    if (post === undefined || !isPlain(request.headers, maxBodyBytes)) return false
    if (post.takes?.(request.headers) === false) return false
    serve(request, response, post, isClosing).catch((error: unknown) => {
      noteRefusal(error, log)
      response.destroy()
    })
    return true
  }
}

const json = 'application/json; charset=utf-8'

/** Of a length that is told before, and no more than that: node sees to it. */
const isPlain = (headers: IncomingHttpHeaders, maxBodyBytes: number): boolean =>
  headers['content-type'] === 'application/json' &&
  headers['content-encoding'] === undefined &&
  Number(headers['content-length']) <= maxBodyBytes

function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', reject)
    request.on('end', () => {
      const [only] = chunks
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks))
    })
  })
}

async function write(
  response: ServerResponse,
  { status, headers, text }: ClientAnswer,
  asked: IncomingHttpHeaders,
  isClosing: () => boolean,
): Promise<void> {
  // What we say is about one caller at one moment.
  const sent: (string | number)[] = ['cache-control', 'no-store']
  for (const name in headers) sent.push(name, headers[name] ?? '')
  let content: string | Buffer = text
  if (varies(text)) {
    sent.push('vary', 'accept-encoding')
    const compressed = await compress(text, asked['accept-encoding'])
    if (compressed !== null) {
      sent.push('content-encoding', compressed.encoding)
      content = compressed.bytes
    }
  }
  sent.push('content-length', Buffer.byteLength(content))
  if (isClosing()) sent.push('connection', 'close')
  response.writeHead(status, sent).end(content)
}
