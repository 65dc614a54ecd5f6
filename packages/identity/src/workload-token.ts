import { randomUUID } from 'node:crypto'
import { AppError } from './app-error.ts'
import {
  bodyHash,
  decodeObject,
  encodeHeader,
  keysByHeader,
  signatureHolds,
  signCompact,
  splitCompact,
} from './compact-jws.ts'
import { contextLifetime, gatewayOf } from './context-claims.ts'
import { createHmacSha256 } from './hmac-sha256.ts'
import { deriveKey, parseKey } from './keys.ts'

/** The header that carries a workload token to the gateway's internal port. */
export const workloadTokenHeader = 'workload-token'

const workloadTokenType = 'behalf-workload+jwt'

/** Longest workload token that is accepted, in bytes. */
const maxWorkloadTokenBytes = 2048

/** One request to the gateway's internal port. */
export interface WorkloadRequest {
  readonly method: string
  /** Path without query string, such as `/internal/token`. */
  readonly path: string
  readonly body: Uint8Array
}

export interface WorkloadSigner {
  /** A token for exactly this request, good once, for 30 seconds. */
  sign(request: WorkloadRequest): string
}

/** How a workload such as the orchestrator proves itself to the gateway. @throws {TypeError} when the key cannot be used. */
export function createWorkloadSigner(options: {
  readonly name: string
  /** Value of `BEHALF_WORKLOAD_KEY`. */
  readonly key: string
  readonly trustDomain: string
  readonly clock?: () => number
}): WorkloadSigner {
  const { name, trustDomain, clock = Date.now } = options
  const current = parseKey(options.key)
  const hmac = createHmacSha256(current.key)
  const header = encodeHeader(workloadTokenType, `${name}/${current.epoch}`)
  return {
    sign({ method, path, body }) {
      const iat = Math.floor(clock() / 1000)
      const claims = {
        iss: name,
        aud: gatewayOf(trustDomain),
        iat,
        exp: iat + contextLifetime.default,
        jti: randomUUID(),
        htm: method,
        htu: path,
        req: bodyHash(body),
      }
      return signCompact(header, JSON.stringify(claims), hmac)
    },
  }
}

export interface WorkloadVerifier {
  /**
   * @param consume - true the first time an id is seen by any replica; `name` is the workload's.
   * @returns the workload's name.
   * @throws {AppError} `WORKLOAD_REFUSED`; and what `consume` throws, which says nothing of the token: it is not
   * accepted, and may be good another time.
   */
  verify(
    token: string,
    request: WorkloadRequest,
    consume: (id: string, expiresAt: Date, name: string) => Promise<boolean>,
  ): Promise<string>
}

/** @param options.workloads - names that may call; each has its own key. */
export function createWorkloadVerifier(options: {
  readonly rootKey: string
  readonly epochs: readonly number[]
  readonly workloads: readonly string[]
  readonly trustDomain: string
  readonly clock?: () => number
}): WorkloadVerifier {
  const { rootKey, epochs, workloads, trustDomain, clock = Date.now } = options
  const keys = new Map(
    workloads.flatMap((name) => {
      const ofName = keysByHeader(
        workloadTokenType,
        name,
        epochs.map((epoch) => deriveKey(rootKey, 'workload', name, epoch)),
      )
      return [...ofName].map(([header, key]) => [header, { name, key }] as const)
    }),
  )
  const refuse = (cause: string) => new AppError('WORKLOAD_REFUSED', undefined, { cause })

  return {
    async verify(token, { method, path, body }, consume) {
      if (token.length > maxWorkloadTokenBytes) throw refuse('length')
      const jws = splitCompact(token)
      if (jws === null) throw refuse('not a compact JWS')
      const known = keys.get(jws.header)
      if (known === undefined || !signatureHolds(jws, known.key)) throw refuse('signature')
      const { iss, aud, iat, exp, jti, htm, htu, req } = decodeObject(jws.payload)
      if (iss !== known.name || aud !== gatewayOf(trustDomain)) throw refuse('iss or aud')
      if (htm !== method || htu !== path || req !== bodyHash(body)) throw refuse('another request')
      const now = Math.floor(clock() / 1000)
      if (typeof iat !== 'number' || typeof exp !== 'number' || typeof jti !== 'string') throw refuse('claims')
      if (iat > now + contextLifetime.skew || exp <= now - contextLifetime.skew || exp - iat > contextLifetime.max)
        throw refuse('time')
      if (!(await consume(jti, new Date((exp + contextLifetime.skew) * 1000), known.name))) throw refuse('used before')
      return known.name
    },
  }
}
