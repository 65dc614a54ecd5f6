import { randomUUID } from 'node:crypto'
import {
  acceptedEpochs,
  AppError,
  type ApprovedHash,
  deriveKey,
  type Principal,
  type Proof,
  type Ticket,
} from '@behalf/identity'
import { EncryptJWT, jwtDecrypt } from 'jose'
import { z } from 'zod'

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
  const keys = new Map<unknown, Uint8Array>(
    acceptedEpochs(epoch).map((accepted) => [`ticket/${accepted}`, deriveKey(rootKey, 'ticket', null, accepted).key]),
  )
  const kid = `ticket/${epoch}`
  const keyOf = (id: unknown) => {
    const key = keys.get(id)
    if (key === undefined) throw new Error('no such key')
    return key
  }

  const soon = () => Math.floor(clock() / 1000) + lifetime
  const seal = (use: Use, to: string, claims: object, exp = soon()) =>
    new EncryptJWT({ to, ...claims })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: use, kid })
      .setJti(randomUUID())
      .setExpirationTime(exp)
      .encrypt(keyOf(kid))

  async function open<T extends { readonly to: string }>(
    use: Use,
    schema: z.ZodType<T>,
    { text, receiver, at }: { readonly text: string; readonly receiver: string; readonly at: Date },
  ): Promise<T> {
    try {
      const { payload } = await jwtDecrypt(text, ({ kid: id }) => keyOf(id), {
        typ: use,
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['exp', 'jti'],
        currentDate: at,
      })
      const claims = schema.parse(payload)
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
      const { jti, exp, grant } = await open('behalf-ticket', ticketSchema, { text, receiver, at })
      return { id: jti, expiresAt: new Date(exp * 1000), grant }
    },

    async sealProof(principal, { approved, to, txn }) {
      const grant = grantOf(principal, txn)
      return grant && seal('behalf-proof', to, { grant, approved })
    },

    async openProof(text, receiver, at) {
      const { grant, approved } = await open('behalf-proof', proofSchema, { text, receiver, at })
      return { grant, approved }
    },

    sealRound: (round, expiresAt) =>
      seal('behalf-round', roundReceiver, { round }, Math.floor(expiresAt.getTime() / 1000)),

    async openRound(text) {
      const at = new Date(clock())
      return (await open('behalf-round', roundSchema, { text, receiver: roundReceiver, at })).round
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
