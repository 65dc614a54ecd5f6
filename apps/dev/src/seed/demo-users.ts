/** Somebody to try the system as. Only the development provider knows them; no password is involved. */
export interface DemoUser {
  /** What the provider calls this user: the `sub` of its tokens. */
  readonly name: string
  /** What we call this user. */
  readonly subject: string
  readonly displayName: string
  readonly email: string
  readonly tenant: 'acme' | 'globex'
  readonly tier: 'basic' | 'premium' | 'support'
  readonly roles: readonly string[]
  /** All scopes that this user may ask for. */
  readonly scopes: readonly string[]
  /** One line for people. */
  readonly description: string
}

const customerScopes = [
  'profile',
  'orders:read',
  'orders:write',
  'balance:read',
  'balance:transfer',
  'chat',
  'approvals:decide',
  'delegations:manage',
  'audit:read',
] as const

export const demoUsers: readonly DemoUser[] = [
  {
    name: 'ada',
    subject: 'usr_ada',
    displayName: 'Ada',
    email: 'ada@acme.example',
    tenant: 'acme',
    tier: 'premium',
    roles: ['customer'],
    scopes: customerScopes,
    description: 'premium customer of acme, with orders and a balance',
  },
  {
    name: 'ben',
    subject: 'usr_ben',
    displayName: 'Ben',
    email: 'ben@acme.example',
    tenant: 'acme',
    tier: 'basic',
    roles: ['customer'],
    scopes: customerScopes,
    description: "basic customer of acme, who must never see what is Ada's",
  },
  {
    name: 'chloe',
    subject: 'usr_chloe',
    displayName: 'Chloe',
    email: 'chloe@globex.example',
    tenant: 'globex',
    tier: 'premium',
    roles: ['customer'],
    scopes: customerScopes,
    description: 'premium customer of globex, another tenant',
  },
  {
    name: 'sam',
    subject: 'usr_sam',
    displayName: 'Sam',
    email: 'sam@acme.example',
    tenant: 'acme',
    tier: 'support',
    roles: ['support'],
    scopes: [...customerScopes, 'users:read'],
    description: 'support at acme, who may look up its customers in person',
  },
]

/** The same people, who may also ask for what an app of somebody's names as its `demoScopes`. */
export const demoUsersOf = (apps: readonly { readonly demoScopes: readonly string[] }[]): readonly DemoUser[] => {
  const more = apps.flatMap(({ demoScopes }) => demoScopes)
  return demoUsers.map((user) => ({ ...user, scopes: [...new Set([...user.scopes, ...more])] }))
}
