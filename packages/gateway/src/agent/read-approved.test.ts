import { AppError } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { needs } from '../authorize/fixtures.ts'
import { createReadApproved } from './read-approved.ts'

const supergraph = `
  type Query { a: Int }
  type Mutation { resolve(id: ID!, argumentsHash: String!, decision: Decision! = APPROVE): Int, other(id: ID!, argumentsHash: String!, decision: Decision! = APPROVE): Int, plain: Int }
  enum Decision { APPROVE REJECT }`
const read = createReadApproved({
  supergraph,
  rules: {
    'Mutation.resolve': { ...needs(), approves: 'users' },
    'Mutation.other': { ...needs(), approves: 'orders' },
  },
})
const hash = 'h'.repeat(43)
const resolve = (id: string, more = '') => `resolve(id: "${id}", argumentsHash: "${hash}" ${more})`
const ask = (query: string, variables: Record<string, unknown> = {}) => read({ query, variables }, 'users')
const approved = (...ids: string[]) => ids.map((id) => ({ id, argumentsHash: hash }))

describe('[P9] what a request approves', () => {
  it('is read wherever it stands, with its variables', () => {
    const query = `
      fragment resolve on Mutation { ${resolve('apr_2')} ... { c: ${resolve('apr_3')} } }
      mutation ($id: ID!) { a: resolve(id: $id, argumentsHash: "${hash}") ...resolve __typename plain }`
    expect(ask(query, { id: 'apr_1' })).toEqual(approved('apr_1', 'apr_2', 'apr_3'))
  })

  it.each([
    ['of another subgraph', `mutation { other(id: "apr_1", argumentsHash: "${hash}") }`],
    ['of a field that approves nothing', 'mutation { plain }'],
    ['of a field that is not there', `mutation { missing(id: "apr_1", argumentsHash: "${hash}") }`],
    ['in a fragment that is not there', 'mutation { ...Missing }'],
    ['that is rejected', `mutation { ${resolve('apr_1', 'decision: REJECT')} }`],
    ['that is rejected besides', `mutation { ${resolve('apr_1')} b: ${resolve('apr_1', 'decision: REJECT')} }`],
    ['that is skipped', `mutation { ${resolve('apr_1')} @skip(if: true) }`],
    ['with an id of another form', `mutation { ${resolve('apr_1 ')} }`],
    ['with a hash of another form', 'mutation { resolve(id: "apr_1", argumentsHash: "short") }'],
    ['without its variables', `mutation ($id: ID!) { resolve(id: $id, argumentsHash: "${hash}") }`],
    ['without an operation', `fragment F on Mutation { ${resolve('apr_1')} }`],
  ])('is nothing %s', (_what, query) => {
    expect(ask(`mutation { ${resolve('apr_1')} }`)).toEqual(approved('apr_1'))
    expect(ask(query)).toEqual([])
  })

  it('is nothing where nothing can be changed', () => {
    const readOnly = createReadApproved({ supergraph: 'type Query { a: Int }', rules: {} })
    expect(readOnly({ query: '{ a }', variables: {} }, 'users')).toEqual([])
  })

  it('is no more than fits into a token', () => {
    const many = (count: number) =>
      `mutation { ${Array.from({ length: count }, (_, index) => `a${index}: ${resolve(`apr_${index}`)}`).join(' ')} }`
    expect(ask(many(4))).toHaveLength(4)
    expect(() => ask(many(5))).toThrow(AppError)
  })
})
