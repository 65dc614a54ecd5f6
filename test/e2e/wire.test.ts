import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  agentApiPaths,
  contextTokenHeader,
  createWorkloadSigner,
  deriveContextKeys,
  deriveWorkloadKey,
  workloadTokenHeader,
} from '@behalf/identity'
import { decodeJwt } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { occursIn, type Searchable } from '../support/find-secrets.ts'
import { openProviderBrowser, type ProviderBrowser } from '../support/provider-browser.ts'
import { type RecordedSystem, startRecordedSystem, subgraphs } from '../support/recorded-system.ts'
import { root, type GraphqlAnswer } from '../support/system.ts'

const users = ['ada', 'ben', 'chloe', 'sam'] as const
type User = (typeof users)[number]
const mark = () => randomBytes(12).toString('hex')

/** What each user is known by to the gateway: of every fact, a value that is found nowhere else. */
const factsOf = (): Readonly<Record<string, string | readonly string[]>> => ({
  name: mark(),
  email: mark(),
  tier: mark(),
  roles: ['customer', mark()],
  groups: [mark()],
  plan: mark(),
})
const facts: Readonly<Record<User, ReturnType<typeof factsOf>>> = {
  ada: factsOf(),
  ben: factsOf(),
  chloe: factsOf(),
  sam: factsOf(),
}
const factNames = Object.keys(facts.ada)
const markOf = (user: User, fact: string) => [facts[user][fact]].flat().at(-1) ?? ''

/** As the schemas have it, and not as the composed graph does, which is what the gateway goes by. */
const declared = Object.fromEntries(
  subgraphs.map((name) => {
    const schema = readFileSync(join(root, 'apps', name, 'src/schema.graphql'), 'utf8')
    return [name, JSON.parse(/@identity\(facts: (\[[^\]]*\])\)/.exec(schema)?.[1] ?? '') as string[]]
  }),
) as Record<(typeof subgraphs)[number], string[]>

/** What a client sends along that proves something or might, and that is for nobody behind the gateway. */
const alongside = { cookie: mark(), dpop: mark(), key: mark(), extension: mark() }

/** Where something has to be found, where it may be, and that it is nowhere else. */
interface Sought {
  readonly what: string
  readonly secret: string | Buffer
  readonly at: readonly string[]
  readonly also?: readonly string[]
}

let recorded: RecordedSystem
let browsers: Record<User, ProviderBrowser>
let legs: ReadonlyMap<string, Searchable>
const planted = mark()
const explained: string[] = []

beforeAll(async () => {
  recorded = await startRecordedSystem()
  const admin = new pg.Client({ connectionString: recorded.databaseUrl })
  await admin.connect()
  for (const user of users) {
    await admin.query('update authority.subject set facts = $1 where sub = $2', [facts[user], user])
  }
  await admin.end()
}, 120_000)
afterAll(() => recorded?.[Symbol.asyncDispose]())

async function ask(user: User | null, query: string, variables: Record<string, unknown> = {}) {
  const response = await fetch(recorded.graphql, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      cookie: `session=${alongside.cookie}`,
      'x-api-key': alongside.key,
      ...(user !== null && { authorization: `Bearer ${browsers[user].token}` }),
    },
    body: JSON.stringify({ query, variables, extensions: { credential: alongside.extension } }),
  })
  return (await response.json()) as GraphqlAnswer['body']
}

/** Calls two tools, then tells what came back. */
function scriptModel(): void {
  recorded.model.reply = ({ messages }) => {
    const results = messages
      .slice(messages.findLastIndex(({ role }) => role === 'user'))
      .filter(({ role }) => role === 'tool')
    const call = ['get_balance', 'list_orders'][results.length]
    return call === undefined
      ? { text: JSON.stringify(results.map(({ content }) => content)) }
      : { call, arguments: '{}' }
  }
}

async function chat(user: User, text: string): Promise<string> {
  const send = `mutation Send($input: ChatSendInput!) { chatSend(input: $input) {
    run { id status message { text } toolCalls { tool status } conversation { id } } } }`
  const { data, errors, extensions } = await ask(user, send, { input: { text, idempotencyKey: mark() } })
  expect(errors).toBeUndefined()
  const tools = ['get_balance', 'list_orders'].map((tool) => ({ tool, status: 'SUCCEEDED' }))
  expect(data?.['chatSend'].run).toMatchObject({ status: 'COMPLETED', toolCalls: tools })
  explained.push(extensions?.txn ?? '')
  return data?.['chatSend'].run.conversation.id
}

/** The agent API, around the recorder, as whoever has the key of `workload`. */
async function act(handle: string, workload: string) {
  const request = { method: 'POST', path: agentApiPaths.callTool }
  const call = { delegation: handle, run: 'run_1', call: `call_${mark()}`, name: 'get_balance', arguments: {} }
  const body = Buffer.from(JSON.stringify(call))
  const key = deriveWorkloadKey(recorded.system.rootKey, workload, 1)
  const signer = createWorkloadSigner({ name: workload, key, trustDomain: 'behalf' })
  const response = await fetch(new URL(request.path, recorded.system.urls.internal), {
    method: 'POST',
    headers: { 'content-type': 'application/json', [workloadTokenHeader]: signer.sign({ ...request, body }) },
    body,
  })
  return { status: response.status, body: await response.json() }
}

const headersOf = (leg: string, name: string) =>
  recorded.requests(leg).flatMap(({ headers }) => headers.get(name.toLowerCase()) ?? [])
const signatureOf = (token: string) => token.split('.').at(-1) ?? ''
const handlesGiven = () =>
  recorded.answers('orchestrator → gateway').flatMap(({ body }) => {
    const text = body.toString()
    return text.includes('access_token') ? [(JSON.parse(text) as { access_token: string }).access_token] : []
  })

describe('with a recorder between every two processes', () => {
  it('four users read, join, change, chat, end and leave', async () => {
    const { issuer, graphql: resource } = recorded.system.urls
    const scopes = 'profile orders:read balance:read chat delegations:manage audit:read'.split(' ')
    const signIn = (user: User) =>
      openProviderBrowser(
        {
          issuer,
          resource,
          userAgent: recorded.userAgent,
          scopes: [...scopes, ...(user === 'sam' ? ['users:read'] : [])],
        },
        user,
      )
    browsers = Object.fromEntries(
      await Promise.all(users.map(async (user) => [user, await signIn(user)] as const)),
    ) as typeof browsers
    scriptModel()

    const viewer = `query Mine { deliveryTerms { freeFrom } viewer { id name balance { amount }
      orders(first: 2) { edges { node { id total } } } chats: delegations { id agent }
      auditEvents(first: 50) { edges { node { what rule outcome } } } } }`
    for (const user of users) {
      const { data, errors, extensions } = await ask(user, viewer)
      expect(errors).toBeUndefined()
      expect(data).toMatchObject({ deliveryTerms: {}, viewer: { id: `usr_${user}`, balance: {}, orders: {} } })
      explained.push(extensions?.txn ?? '')
    }
    const joined = await ask('sam', '{ user(id: "usr_ben") { name balance { amount } orders { edges { cursor } } } }')
    expect(joined.data).toEqual({ user: { name: expect.any(String), balance: null, orders: null } })
    expect((await ask(null, '{ viewer { id } }')).data).toEqual({ viewer: null })
    // Refused as it is, and in no log either.
    const authorization = `Bearer ${browsers.chloe.token}`
    for (const [query, headers] of [
      [`?access_token=${browsers.chloe.token}`, {}],
      ['', { authorization, dpop: alongside.dpop }],
      ['', { authorization: `${authorization}, ${authorization}` }],
    ] as const) {
      const refused = await fetch(`${recorded.graphql}${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{"query":"{ __typename }"}',
      })
      expect(refused.status).toBe(401)
    }

    const conversation = await chat('ada', 'What is my balance, and which orders do I have?')
    await chat('ben', 'What is my balance, and which orders do I have?')
    const removed = await ask('ada', 'mutation ($id: ID!) { chatDeleteConversation(id: $id) }', { id: conversation })
    expect(removed.data).toEqual({ chatDeleteConversation: true })
    const { data } = await ask('ben', viewer)
    const end = 'mutation ($id: ID!) { revokeDelegation(id: $id) { revokedAt } }'
    const ended = await ask('ben', end, { id: data?.['viewer'].chats[0].id })
    expect(ended.data).toEqual({ revokeDelegation: { revokedAt: expect.any(String) } })
  })

  it("[P2] a delegation's handle that somebody took off the wire is worth nothing without the key of its workload", async () => {
    const [ofAda = '', ofBen = ''] = handlesGiven()
    for (const other of ['balance', 'orders', 'identity', 'gateway']) {
      expect(await act(ofAda, other)).toMatchObject({ status: 401, body: { error: { code: 'WORKLOAD_REFUSED' } } })
    }
    expect(await act(ofAda, 'orchestrator')).toMatchObject({ status: 200, body: { ok: true } })
    expect(await act(ofBen, 'orchestrator')).toMatchObject({ body: { error: { code: 'DELEGATION_REFUSED' } } })
  })

  it('two of them leave, and an operator looks at what was decided', async () => {
    const { gateway } = recorded.system.urls
    const authorization = `Bearer ${browsers.ben.token}`
    expect((await fetch(`${gateway}/auth/logout`, { method: 'POST', headers: { authorization } })).status).toBe(204)
    await browsers.ada.signOut()
    for (const user of ['ada', 'ben'] as const) {
      const code = async () => (await ask(user, '{ viewer { id } }')).errors?.[0]?.extensions?.['code']
      await expect.poll(code, { timeout: 5000 }).toBe('SESSION_ENDED')
    }
    const cli = ['--conditions=@behalf/source', join(root, 'packages/cli/src/main.ts'), 'explain']
    const DATABASE_URL = recorded.system.env['DATABASE_URL'] ?? ''
    const { stdout } = await promisify(execFile)(process.execPath, [...cli, explained[0] ?? ''], {
      env: { DATABASE_URL },
    })
    expect(stdout).toContain(`tier = "${markOf('ada', 'tier')}"`)
  })

  it('everything that was to be sent has been sent, and something of everybody was seen', async () => {
    // Before anything is planted. The provider has nothing to say; spans are sent every 5 seconds.
    const silent = async () =>
      [...(await recorded.legs())].flatMap(([leg, { text }]) =>
        text.length > (/log of provider/.test(leg) ? -1 : 500) ? [] : [leg],
      )
    await expect.poll(silent, { timeout: 20_000, interval: 500 }).toEqual([])
    await recorded.plant(planted)
    expect(await recorded.system.stop()).toBe(0)
    await recorded.plantInLogs(planted)
    legs = await recorded.legs()
    expect([...legs.keys()].toSorted()).toEqual(
      [
        ...['client', 'provider', ...subgraphs].map((name) => `gateway → ${name}`),
        'orchestrator → gateway',
        'orchestrator → model',
        'processes → collector',
        ...['gateway', 'postgres', ...subgraphs].map((name) => `${name} → database`),
        ...['gateway', 'provider', ...subgraphs].map((name) => `log of ${name}`),
      ].toSorted(),
    )
  })
})

/** Everything that is to be looked for that proves something, and where it belongs. */
function credentials(): Sought[] {
  const { system, given } = recorded
  const nowhere: [string, string | Buffer][] = [
    ...Object.entries(alongside),
    ...Object.entries(browsers).flatMap(([user, { token, credentials }]) => [
      ...Object.entries(credentials).filter(([, value]) => value !== ''),
      [`access token of ${user}`, signatureOf(token)] as [string, string],
      [`claims of ${user}`, token.split('.')[1] ?? ''] as [string, string],
    ]),
    ['password of the administrator', given.databasePassword],
    ...[
      system.rootKey,
      ...subgraphs.map((name) => deriveContextKeys(system.rootKey, name, [1]).slice(2)),
      deriveWorkloadKey(system.rootKey, 'orchestrator', 1).slice(2),
    ].flatMap((key): [string, string | Buffer][] => [
      ['a key', key],
      ['bytes of a key', Buffer.from(key, 'base64url')],
    ]),
  ]
  const contextTokens = subgraphs.flatMap((name) =>
    headersOf(`gateway → ${name}`, contextTokenHeader).map((token) => ({ token, leg: `gateway → ${name}` })),
  )
  const tickets = contextTokens.flatMap(({ token }) => decodeJwt<{ hop: { ticket?: string } }>(token).hop.ticket ?? [])
  const { text: administration = '' } = legs.get('postgres → database') ?? {}
  const passwords = Array.from(
    administration.matchAll(/ login noinherit password '([\w-]{32})'/g),
    ([, found = '']) => found,
  )
  const sessions = users.map((user) => ({ user, sid: String(decodeJwt(browsers[user].token)['sid']) }))
  const at = (what: string, secrets: readonly (string | Buffer)[], ...legs: string[]): Sought[] =>
    secrets.map((secret) => ({ what, secret, at: legs }))
  return [
    ...nowhere.flatMap(([what, secret]) => at(what, [secret])),
    ...contextTokens.map(({ token, leg }) => ({ what: 'context token', secret: signatureOf(token), at: [leg] })),
    ...at('ticket', tickets.map(signatureOf), 'gateway → orchestrator', 'orchestrator → gateway'),
    // The orchestrator keeps it for as long as the run lasts: docs/concepts/security.md says why.
    ...at('handle', handlesGiven(), 'orchestrator → gateway', 'orchestrator → database'),
    ...at(
      'workload token',
      headersOf('orchestrator → gateway', workloadTokenHeader).map(signatureOf),
      'orchestrator → gateway',
    ),
    ...at('password of a role', [...new Set(passwords)], 'postgres → database'),
    ...at("the model server's key", [given.modelKey], 'orchestrator → model'),
    ...sessions.map(({ user, sid }) => ({
      what: `session of ${user}`,
      secret: sid,
      at: [],
      also: ['gateway → database'],
    })),
  ]
}

function factsSought(): Sought[] {
  return users.flatMap((user) =>
    factNames.map((fact) => {
      const receivers = subgraphs.filter((name) => declared[name].includes(fact))
      return {
        what: `${fact} of ${user}`,
        secret: markOf(user, fact),
        at: ['gateway → database', ...receivers.flatMap((name) => [`gateway → ${name}`, `log of ${name}`])],
        // What a subgraph was told, it may keep, and the operator sees what it was told.
        also: receivers.flatMap((name) => [`${name} → database`, 'postgres → database']),
      }
    }),
  )
}

const placesOf = ({ secret }: Pick<Sought, 'secret'>) =>
  [...legs].filter(([, searchable]) => occursIn(searchable, secret)).map(([leg]) => leg)
/** Of each, where it is and should not be, and where it should be and is not. */
const misplaced = (sought: readonly Sought[]) =>
  sought.flatMap((each) => {
    const places = placesOf(each)
    const tooMuch = places.filter((leg) => ![...each.at, ...(each.also ?? [])].includes(leg))
    const missing = each.at.filter((leg) => !places.includes(leg))
    return tooMuch.length + missing.length === 0 ? [] : [{ what: each.what, tooMuch, missing }]
  })

describe('what was on the wire', () => {
  it('[P2] [P5] would have been found: what was planted is, on every leg', () => {
    expect(placesOf({ secret: planted })).toEqual([...legs.keys()])
    expect(placesOf({ secret: mark() })).toEqual([])
  })

  it('[P2] held no credential but where it belongs, in whatever spelling', () => {
    const sought = credentials()
    const count = (what: string) => sought.filter((each) => each.what === what).length
    expect(['context token', 'ticket', 'handle', 'password of a role', 'workload token'].map(count)).toEqual([
      expect.toSatisfy((tokens: number) => tokens > 25),
      2,
      2,
      5,
      expect.toSatisfy((tokens: number) => tokens > 6),
    ])
    expect(misplaced(sought)).toEqual([])
  })

  it('[P2] held nothing that looks like a token but context tokens, tickets and workload tokens', () => {
    const known = new Map(
      credentials().flatMap(({ what, secret, at }) =>
        /token$|^ticket$/.test(what) ? [[String(secret), at] as const] : [],
      ),
    )
    const strange = [...legs].flatMap(([leg, { text }]) =>
      Array.from(text.matchAll(/eyJ[\w-]{10,}(?:\.[\w-]*){2,4}/g), ([token]) => ({ leg, token })).filter(
        ({ token }) => known.get(signatureOf(token))?.includes(leg) !== true,
      ),
    )
    expect(strange).toEqual([])
    expect(browsers.ada.token).toMatch(/^eyJ[\w-]{10,}(?:\.[\w-]*){2,4}$/)
  })

  it('[P5] held no fact but where it was declared, and there it was', () => {
    expect(declared).toEqual({ identity: [], orders: ['tier'], balance: [], orchestrator: [] })
    expect(misplaced(factsSought())).toEqual([])
  })
})
