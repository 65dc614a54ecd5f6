import { signedInAs, signedInWithin } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ComposedGateway, type ComposedSubgraph, startComposedGateway } from '../fixtures/composed-gateway.ts'
import type { AuthorizationMode } from './authorization-mode.ts'

/** What ran in a subgraph. */
const ran: string[] = []
const people: Readonly<Record<string, object>> = {
  usr_ada: { id: 'usr_ada', name: 'Ada', tenant: 'acme' },
  usr_ben: { id: 'usr_ben', name: 'Ben', tenant: 'acme' },
}
const subgraphs: Readonly<Record<string, ComposedSubgraph>> = {
  people: {
    schema: `
      type Query { viewer: User @authenticated open: String user(id: ID! @subject(unless: [["users:read"]])): User
        search(where: Where): String }
      type User @key(fields: "id") @owner(field: "id", unless: [["users:read"]]) { id: ID! name: String @requiresScopes(scopes: [["profile"], ["admin"]]) }
      input Where { owner: ID @subject text: String = "any" }`,
    resolvers: {
      Query: {
        viewer: (_parent: unknown, _given: unknown, { identity }) => ran.push('viewer') && people[identity.subject],
        open: () => 'open',
        user: (_parent: unknown, { id }: { id: string }) => ran.push(`user ${id}`) && people[id],
        search: (_parent: unknown, given: unknown) => ran.push('search') && JSON.stringify(given),
      },
      User: { name: (user: { name: string }) => ran.push('name') && user.name },
    },
  },
  money: {
    schema: `type User @key(fields: "id") @owner(field: "id") { id: ID!
        payees(first: Int = 20): [String!] @policy(policies: [["recent_sign_in"]])
        vault: String @policy(policies: [["recent_sign_in", "strong"], ["trusted"]]) }`,
    resolvers: {
      User: { payees: () => ran.push('payees') && ['Ben'], vault: () => ran.push('vault') && 'gold' },
    },
  },
}
const policies = {
  recent_sign_in: signedInWithin(300),
  strong: signedInAs(['mfa']),
  trusted: ({ caller: { scopes } }: { caller: { scopes: readonly string[] } }) => scopes.includes('trusted'),
}
const now = () => Math.floor(Date.now() / 1000)
const stepUp = (path: string[], more: object = {}) => ({ path, extensions: { code: 'STEP_UP_REQUIRED', ...more } })

let gateway: ComposedGateway
const start =
  (mode: AuthorizationMode, more: Partial<Parameters<typeof startComposedGateway>[0]> = {}) =>
  async () => {
    gateway = await startComposedGateway({ subgraphs, policies, authorization: { mode }, ...more })
  }
beforeEach(() => {
  ran.length = 0
})
async function ask(query: string, claims: Record<string, unknown> | null, variables?: unknown) {
  return gateway.ask(query, { token: claims && (await gateway.token({ scope: '', ...claims })), variables })
}

describe('filter', () => {
  beforeAll(start('filter'))
  afterAll(() => gateway[Symbol.asyncDispose]())

  it('[P6] decides policies before any subgraph is asked, and says how to sign in', async () => {
    const query = '{ viewer { id payees vault } }'
    const answer = await ask(query, { auth_time: now() - 301, acr: 'pwd' })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      data: { viewer: { id: 'usr_ada', payees: null, vault: null } },
      errors: [
        stepUp(['viewer', 'payees'], { maxAge: 300 }),
        stepUp(['viewer', 'vault'], { maxAge: 300, acrValues: ['mfa'] }),
      ],
    })
    expect(ran).toEqual(['viewer'])
    expect((await ask(query, { auth_time: now(), acr: 'pwd' })).body).toMatchObject({
      data: { viewer: { payees: ['Ben'], vault: null } },
      errors: [stepUp(['viewer', 'vault'], { acrValues: ['mfa'] })],
    })
    expect((await ask(query, { auth_time: now(), acr: 'mfa' })).body.errors).toBeUndefined()
    expect((await ask(query, {})).body.errors).toMatchObject([
      stepUp(['viewer', 'payees']),
      stepUp(['viewer', 'vault']),
    ])
  })

  it('[P6] names the scopes that are missing', async () => {
    expect((await ask('{ viewer { id name } }', {})).body.errors).toEqual([
      {
        message: 'Needs the scope admin, or the scope profile.',
        path: ['viewer', 'name'],
        extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', requiredScopes: [['admin'], ['profile']] },
      },
    ])
    expect((await ask('{ viewer { id name } }', { scope: 'profile' })).body.errors).toBeUndefined()
  })

  it('[P6] sends nothing to a subgraph that names another principal than the caller', async () => {
    const query = 'query ($id: ID!, $where: Where) { open user(id: $id) { id } search(where: $where) }'
    const others = { id: 'usr_ben', where: { owner: 'usr_ben' } }
    const denied = (path: string) => ({
      path: [path],
      message: expect.stringMatching(/^"(id|owner)" can only name the caller\.$/),
      extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' },
    })
    expect((await ask(query, {}, others)).body).toMatchObject({
      data: { open: 'open', user: null, search: null },
      errors: [denied('user'), denied('search')],
    })
    expect(ran).toEqual([])
    expect((await ask(query, {}, { id: 'usr_ada', where: {} })).body).toMatchObject({
      data: { user: { id: 'usr_ada' }, search: '{"where":{"text":"any","owner":"usr_ada"}}' },
    })
    ran.length = 0

    const support = { scope: 'users:read' }
    expect((await ask(query, support, { ...others, where: null })).body).toMatchObject({
      data: { user: { id: 'usr_ben' } },
    })
    ran.length = 0
    // Of a client that nobody sits in front of.
    expect((await ask(query, { ...support, client_id: 'robot' }, others)).body).toMatchObject({
      data: { open: 'open', user: null, search: null },
    })
    expect(ran).toEqual([])
  })
})

describe('reject', () => {
  beforeAll(start('reject'))
  afterAll(() => gateway[Symbol.asyncDispose]())

  it.each([
    ['lacks a scope', '{ open viewer { id name } }', {}, 403, 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['did not sign in', '{ open viewer { id } }', null, 401, 'UNAUTHENTICATED'],
    ['has to sign in again', '{ open viewer { id payees } }', {}, 401, 'STEP_UP_REQUIRED'],
    ['names somebody else', '{ open user(id: "usr_ben") { id } }', {}, 403, 'UNAUTHORIZED_FIELD_OR_TYPE'],
  ])('[P6] executes nothing for one who %s', async (_name, query, claims, status, code) => {
    const answer = await ask(query, claims)
    expect({ status: answer.status, data: answer.body.data }).toEqual({ status, data: undefined })
    expect(answer.body.errors).toMatchObject([{ path: expect.any(Array), extensions: { code } }])
    expect(answer.body.extensions?.txn).toMatch(/^[\da-f-]{36}$/)
    expect(ran).toEqual([])
  })

  it('[P6] tells every reason', async () => {
    const { body, status } = await ask('{ viewer { name payees } }', {})
    expect(status).toBe(401)
    expect(body.errors).toMatchObject([
      { path: ['viewer', 'name'], extensions: { requiredScopes: [['admin'], ['profile']] } },
      stepUp(['viewer', 'payees'], { maxAge: 300 }),
    ])
    expect(JSON.stringify(body)).not.toContain('http')
  })

  it.each([
    ['{ viewer { id name } }', {}, 'Bearer error="insufficient_scope"', 'scope="admin"'],
    ['{ viewer { id payees } }', {}, 'Bearer error="insufficient_user_authentication"', 'max_age="300"'],
    ['{ viewer { id } }', null, 'Bearer', ''],
  ])('[P6] says what another credential would have to have: %s', async (query, claims, start, part) => {
    const challenge = (await ask(query, claims)).headers.get('www-authenticate')
    expect(challenge).toMatch(new RegExp(`^${start}`))
    expect(challenge).toContain(part)
    expect((await ask('{ open }', claims)).headers.get('www-authenticate')).toBeNull()
  })

  it('answers what is allowed as a whole, also where a condition leaves out what is not', async () => {
    const query = 'query ($on: Boolean!) { viewer { id name @include(if: $on) } }'
    expect(await ask(query, {}, { on: false })).toMatchObject({
      status: 200,
      body: { data: { viewer: { id: 'usr_ada' } } },
    })
    expect(await ask(query, {}, { on: true })).toMatchObject({ status: 403 })
    expect(await ask(query, { scope: 'profile' }, { on: true })).toMatchObject({ status: 200 })
    expect((await ask(query, {}, {})).body).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
  })
})

describe('dry-run', () => {
  beforeAll(start('dry-run'))
  afterAll(() => gateway[Symbol.asyncDispose]())
  const query = '{ viewer { id name payees } }'

  it('[P6] executes all of it, says what would have been denied, and the subgraph denies it', async () => {
    const { status, body } = await ask(query, {})
    expect(status).toBe(200)
    expect(body.data).toEqual({ viewer: { id: 'usr_ada', name: null, payees: null } })
    expect(body.errors).toMatchObject(
      [
        { path: ['viewer', 'payees'], extensions: { code: 'STEP_UP_REQUIRED', maxAge: 300 } },
        {
          path: ['viewer', 'name'],
          extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', requiredScopes: [['profile'], ['admin']] },
        },
      ].toSorted((a, b) => (a.path.join() < b.path.join() ? -1 : 1)),
    )
    expect(ran).toEqual(['viewer'])
    const denied = [
      {
        path: ['viewer', 'name'],
        coordinate: 'User.name',
        code: 'UNAUTHORIZED_FIELD_OR_TYPE',
        rule: '@requiresScopes(scopes: [["admin"], ["profile"]])',
      },
      {
        path: ['viewer', 'payees'],
        coordinate: 'User.payees',
        code: 'STEP_UP_REQUIRED',
        rule: '@policy(policies: [["recent_sign_in"]])',
      },
    ]
    expect(body.extensions).toEqual({ txn: expect.any(String), authorization: { mode: 'dry-run', denied } })
    const line = gateway.logs['gateway']?.find((each) => each.includes('would have been denied'))
    expect(JSON.parse(line ?? '{}')).toMatchObject({ txn: body.extensions?.txn, denied })
  })

  it('[P6] lets no other principal be named, which the subgraph decides', async () => {
    const { body } = await ask('{ open user(id: "usr_ben") { id } }', {})
    expect(body.data).toEqual({ open: 'open', user: null })
    expect(body.errors).toMatchObject([{ path: ['user'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }])
    expect(body.extensions).toMatchObject({
      authorization: { denied: [{ rule: '@subject(claim: "sub", unless: [["users:read"]])' }] },
    })
    expect(ran).toEqual([])
  })

  it('says nothing where nothing would be denied', async () => {
    const { body } = await ask(query, { scope: 'profile', auth_time: now() })
    expect(body.data).toEqual({ viewer: { id: 'usr_ada', name: 'Ada', payees: ['Ben'] } })
    expect(body.extensions).toEqual({ txn: expect.any(String) })
  })

  it('is loud at the start', () => {
    expect(gateway.logs['gateway']?.[0]).toContain('authorization is a dry run')
  })
})

describe('[P6] a subgraph', () => {
  const refuse = () => false
  beforeAll(async () => {
    const { people: ofPeople, money } = subgraphs
    if (!ofPeople || !money) throw new TypeError('There are two subgraphs.')
    const own = { ...policies, recent_sign_in: refuse, strong: refuse, trusted: refuse }
    await start('filter', { subgraphs: { people: ofPeople, money: { ...money, policies: own } } })()
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  it('decides policies for itself, whatever the gateway decided', async () => {
    const { body } = await ask('{ viewer { id payees } }', { auth_time: now() })
    expect(body).toMatchObject({
      data: { viewer: { id: 'usr_ada', payees: null } },
      errors: [{ path: ['viewer', 'payees'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
    expect(ran).toEqual(['viewer'])
  })
})
