import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AppError, type ErrorCode } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import type { WriteError } from './refuse.ts'

const codeOfNode: Readonly<Record<string, ErrorCode>> = { HPE_HEADER_OVERFLOW: 'PAYLOAD_TOO_LARGE' }

/**
 * Answers what is not HTTP, or did not arrive in time: there is no request that could be refused. Of node's error
 * nothing but its code is logged: it holds the bytes that arrived, credentials included.
 */
export const refuseConnection =
  (log: FastifyBaseLogger, writeError: WriteError) =>
  ({ code: reason = '' }: Error & { readonly code?: string }, socket: Socket): void => {
    const error = new AppError(codeOfNode[reason] ?? 'BAD_REQUEST')
    const { code, status } = error
    const txn = uuidv7()
    log.info({ txn, code, reason }, 'connection refused')
    if (reason === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const body = JSON.stringify(writeError(error, txn).body)
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Cache-Control: no-store',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  }
