import { buildSchema, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { createAuthorize } from './authorize.ts'
import { rule } from '../fixtures/rule.ts'
import { agent, hashOf, person } from './fixtures.ts'

const schema = buildSchema('type Query { a: Int } type Mutation { cancel: Int, transfer: Int, wipe: Int }')
const authorize = createAuthorize({
  schema,
  rules: {
    // Equal, and so one rule.
    'Mutation.cancel': rule({ agent: 'APPROVE' }),
    'Mutation.transfer': rule({ agent: 'APPROVE' }),
    'Mutation.wipe': rule({ agent: 'DENY' }),
  },
})
const ask = async (query: string, field: string | null = 'cancel', principal = agent()) => {
  const approval = field === null ? null : { id: 'apr_1', field }
  const request = { hash: hashOf(query), document: parse(query), operationName: null, variables: {}, principal }
  const authorization = await authorize({ ...request, approval })
  return authorization?.denials.map(({ coordinate, code }) => `${coordinate} ${code}`) ?? []
}

describe('[P9] an agent with an approval', () => {
  it('may do what was approved', async () => {
    expect(await ask('mutation { cancel }')).toEqual([])
    expect(await ask('mutation { a: cancel }')).toEqual([])
    expect(await ask('mutation { cancel }', null, person())).toEqual([])
  })

  it.each([
    ['without one', 'mutation { cancel }', null, ['Mutation.cancel APPROVAL_REQUIRED']],
    ['of another field', 'mutation { transfer }', 'cancel', ['Mutation.transfer APPROVAL_REQUIRED']],
    [
      'together with another field',
      'mutation { cancel transfer }',
      'cancel',
      ['Mutation.cancel APPROVAL_REQUIRED', 'Mutation.transfer APPROVAL_REQUIRED'],
    ],
    [
      'in a fragment, where it is not looked for',
      'mutation { ...F } fragment F on Mutation { cancel }',
      'cancel',
      ['Mutation.cancel APPROVAL_REQUIRED'],
    ],
    [
      'in a fragment that is called so',
      'mutation { ...cancel } fragment cancel on Mutation { transfer }',
      'cancel',
      ['Mutation.transfer APPROVAL_REQUIRED'],
    ],
    ['of what no agent may do', 'mutation { wipe }', 'wipe', ['Mutation.wipe AGENT_DENIED']],
  ])('may not, %s', async (_what, query, field, denials) => {
    expect(await ask(query, field)).toEqual(denials)
    // Nor is anything kept of who had one.
    expect(await ask('mutation { cancel }')).toEqual([])
    expect(await ask('mutation { cancel }', null)).toEqual(['Mutation.cancel APPROVAL_REQUIRED'])
  })
})
