import { randomUUID } from 'node:crypto'
import { acceptedEpochs, AppError, deriveKey, type Principal, type Ticket } from '@behalf/identity'
import { EncryptJWT, jwtDecrypt } from 'jose'
import { z } from 'zod'

/** Seconds between a `@delegates` call and the redemption of its ticket. */
const lifetime = 60
const use = 'behalf-ticket'

const claimsSchema = z.object({
  jti: z.string(),
  exp: z.number(),
  to: z.string(),
  grant: z.object({
    issuer: z.string(),
    subject: z.string(),
    tenant: z.string(),
    scopes: z.array(z.string()),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
    client: z.string(),
    session: z.string().nullable(),
    authTime: z.number().nullable(),
    acr: z.string().nullable(),
    issuedAt: z.number(),
    agent: z.string(),
    parent: z.string(),
  }),
})

/** Tickets: sealed by the gateway for itself. Who carries one can neither read, change nor make it. */
export interface TicketSealer {
  /** @returns null for a caller who has nothing to delegate: nobody, or an agent. */
  seal(
    principal: Principal,
    start: { readonly agent: string; readonly to: string; readonly txn: string },
  ): Promise<string | null>
  /**
   * @param at - when it was used. Default: now.
   * @throws {AppError} `TICKET_REFUSED` unless `receiver` is whom it was made for.
   */
  open(ticket: string, receiver: string, at?: Date): Promise<Ticket>
}

/** JWE `dir` with A256GCM (RFC 7516), key from info `behalf/ticket/<epoch>`; tickets of the previous epoch are opened, too. */
export function createTicketSealer(options: {
  readonly rootKey: string
  readonly epoch: number
  readonly clock?: () => number
}): TicketSealer {
  const { rootKey, epoch, clock = Date.now } = options
  const keys = new Map(
    acceptedEpochs(epoch).map((accepted) => [`ticket/${accepted}`, deriveKey(rootKey, 'ticket', null, accepted).key]),
  )
  const kid = `ticket/${epoch}`
  const keyOf = (id: string | undefined) => {
    const key = keys.get(id ?? '')
    if (key === undefined) throw new Error('no such key')
    return key
  }

  return {
    async seal(principal, { agent, to, txn }) {
      const { actor, issuer, subject, tenant, client, scopes, facts, session, authTime, acr, issuedAt } = principal
      if (actor !== null || issuer === null || tenant === null || client === null || issuedAt === null) return null
      const from = { issuer, subject, tenant, scopes, facts, client, session, authTime, acr, issuedAt }
      const grant = { ...from, agent, parent: txn }
      return new EncryptJWT({ to, grant })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: use, kid })
        .setJti(randomUUID())
        .setExpirationTime(Math.floor(clock() / 1000) + lifetime)
        .encrypt(keyOf(kid))
    },

    async open(ticket, receiver, at = new Date(clock())) {
      try {
        const { payload } = await jwtDecrypt(ticket, ({ kid: id }) => keyOf(id), {
          typ: use,
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
          requiredClaims: ['exp', 'jti'],
          currentDate: at,
        })
        const { jti, exp, to, grant } = claimsSchema.parse(payload)
        if (to !== receiver) throw new Error(`made for ${to}`)
        return { id: jti, expiresAt: new Date(exp * 1000), grant }
      } catch (cause) {
        throw new AppError('TICKET_REFUSED', undefined, { cause })
      }
    },
  }
}
