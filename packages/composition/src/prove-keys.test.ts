import { testRefusals, type RefusalCase } from './refusal-fixture.ts'

const entity = (ofType: string, ofKey: string, key = 'n') => ({
  orders: `extend type Query { account: Account }
    type Account @key(fields: "${key}") @public ${ofType} { n: ID ${ofKey} bank: Bank label: String }
    type Bank @public { code: ID ${key === 'n' ? '' : ofKey} }`,
})
const scope = '@requiresScopes(scopes: [["a"]])'

const cases: readonly RefusalCase[] = [
  ['KEY_RESTRICTED', 'by a scope', entity('', scope), entity(scope, scope)],
  [
    'KEY_RESTRICTED',
    'by more scopes than the type',
    entity(scope, '@requiresScopes(scopes: [["a", "b"]])'),
    entity(scope, ''),
  ],
  ['KEY_RESTRICTED', 'by signing in', entity('', '@authenticated'), entity(scope, '@authenticated')],
  [
    'KEY_RESTRICTED',
    'by signing in, nested',
    entity('', '@authenticated', 'n bank { code }'),
    entity('@authenticated', '@authenticated', 'n bank { code }'),
  ],
  ['KEY_RESTRICTED', 'for agents', entity('', '@agent(access: DENY)'), entity('', '@agent(access: ALLOW)')],
  ['KEY_RESTRICTED', 'by a policy', entity('', '@policy(policies: [["p"]])'), entity('@policy(policies: [["p"]])', '')],
]

testRefusals(cases, /^apps\/orders\/src\/schema\.graphql$/)
