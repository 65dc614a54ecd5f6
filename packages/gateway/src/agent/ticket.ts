import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto'
import {
  acceptedEpochs,
  AppError,
  type ApprovedHash,
  deriveKey,
  type Principal,
  type Proof,
  type Ticket,
} from '@behalf/identity'
import { z } from 'zod'
import { decryptCompact, encodeJweHeader, encryptCompact } from './compact-jwe.ts'

/** Seconds between a `@delegates` call and the redemption of its ticket, or an `@approves` call and its decision. */
const lifetime = 60
/** Each is opened as what it was sealed as, and as nothing else (RFC 8725 3.11). */
type Use = 'behalf-ticket' | 'behalf-proof' | 'behalf-round'

const granted = z.object({
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
  parent: z.string(),
})
const sealed = z.object({ jti: z.string(), exp: z.number(), to: z.string() })
const ticketSchema = sealed.extend({ grant: granted.extend({ agent: z.string() }) })
const proofSchema = sealed.extend({
  grant: granted,
  approved: z.array(z.object({ id: z.string(), argumentsHash: z.string() })),
})
const roundSchema = sealed.extend({
  round: z.object({
    subject: z.string(),
    tenant: z.string().nullable(),
    client: z.string().nullable(),
    delegation: z.string().nullable(),
    tool: z.string(),
    argumentsHash: z.string(),
    approval: z.string(),
  }),
})

/** What a client carries from one round of a call to the next: whose call it is, and which decision it waits for. */
export type Round = z.output<typeof roundSchema>['round']

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
  /** @returns null for a caller who decides nothing: nobody, or an agent. */
  sealProof(
    principal: Principal,
    decided: { readonly approved: readonly ApprovedHash[]; readonly to: string; readonly txn: string },
  ): Promise<string | null>
  /**
   * @param at - when it was used.
   * @throws {AppError} `TICKET_REFUSED` unless `receiver` is whom it was made for.
   */
  openProof(proof: string, receiver: string, at: Date): Promise<Proof>
  sealRound(round: Round, expiresAt: Date): Promise<string>
  /** @throws {AppError} `TICKET_REFUSED` for what was not sealed as this, or is over */
  openRound(state: string): Promise<Round>
}

/** JWE `dir` with A256GCM (RFC 7516), key from info `behalf/ticket/<epoch>`; tickets of the previous epoch are opened, too. */
export function createTicketSealer(options: {
  readonly rootKey: string
  readonly epoch: number
  readonly clock?: () => number
}): TicketSealer {
  const { rootKey, epoch, clock = Date.now } = options
  const keys = acceptedEpochs(epoch).map((accepted) => ({
    kid: `ticket/${accepted}`,
    key: createSecretKey(deriveKey(rootKey, 'ticket', null, accepted).key),
  }))
  /** For each use, the keys by the only headers that may announce them. */
  const keysOf = (use: Use) => new Map(keys.map(({ kid, key }) => [encodeJweHeader(use, kid), key]))
  const byHeader: Readonly<Record<Use, ReadonlyMap<string, KeyObject>>> = {
    'behalf-ticket': keysOf('behalf-ticket'),
    'behalf-proof': keysOf('behalf-proof'),
    'behalf-round': keysOf('behalf-round'),
  }
  function keyOf(use: Use, header: string): KeyObject {
    const key = byHeader[use].get(header)
    if (key === undefined) throw new Error('no such key')
    return key
  }

  const soon = () => Math.floor(clock() / 1000) + lifetime
  function seal(use: Use, to: string, claims: object, exp = soon()): string {
    const header = encodeJweHeader(use, `ticket/${epoch}`)
    return encryptCompact(header, { to, ...claims, jti: randomUUID(), exp }, keyOf(use, header))
  }

  function open<T extends z.output<typeof sealed>>(
    use: Use,
    schema: z.ZodType<T>,
    { text, receiver, at }: { readonly text: string; readonly receiver: string; readonly at: Date },
  ): T {
    try {
      const claims = schema.parse(decryptCompact(text, (header) => keyOf(use, header)))
      if (claims.exp <= Math.floor(at.getTime() / 1000)) throw new Error(`over since ${claims.exp}`)
      if (claims.to !== receiver) throw new Error(`made for ${claims.to}`)
      return claims
    } catch (cause) {
      throw new AppError('TICKET_REFUSED', undefined, { cause })
    }
  }

  return {
    async seal(principal, { agent, to, txn }) {
      const grant = grantOf(principal, txn)
      return grant && seal('behalf-ticket', to, { grant: { ...grant, agent } })
    },

    async open(text, receiver, at = new Date(clock())) {
      const { jti, exp, grant } = open('behalf-ticket', ticketSchema, { text, receiver, at })
      return { id: jti, expiresAt: new Date(exp * 1000), grant }
    },

    async sealProof(principal, { approved, to, txn }) {
      const grant = grantOf(principal, txn)
      return grant && seal('behalf-proof', to, { grant, approved })
    },

    async openProof(text, receiver, at) {
      const { grant, approved } = open('behalf-proof', proofSchema, { text, receiver, at })
      return { grant, approved }
    },

    sealRound: async (round, expiresAt) =>
      seal('behalf-round', roundReceiver, { round }, Math.floor(expiresAt.getTime() / 1000)),

    async openRound(text) {
      const at = new Date(clock())
      return open('behalf-round', roundSchema, { text, receiver: roundReceiver, at }).round
    },
  }
}

/** The gateway itself, whose round it is. */
const roundReceiver = 'gateway'

/** Null for whoever has nothing to grant. */
function grantOf(principal: Principal, txn: string): Proof['grant'] | null {
  const { actor, issuer, subject, tenant, client, scopes, facts, session, authTime, acr, issuedAt } = principal
  if (actor !== null || issuer === null || tenant === null || client === null || issuedAt === null) return null
  return { issuer, subject, tenant, scopes, facts, client, session, authTime, acr, issuedAt, parent: txn }
}
