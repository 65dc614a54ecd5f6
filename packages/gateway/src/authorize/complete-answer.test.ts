import { GraphQLError } from 'graphql'
import { describe, expect, it } from 'vitest'
import { graphOf, needs, person } from './fixtures.ts'

const graph = graphOf(
  `type Query { nodes: [Node], a: A, open: Int!, closed: Int, given(n: Int! = 1): Int }
   interface Node { id: ID!, text: String }
   type A implements Node { id: ID!, text: String, open: Int! }
   type B implements Node { id: ID!, text: String }`,
  { 'Node.text': needs('text'), 'Query.closed': needs('closed') },
  {},
)
const two = graphOf(
  `type Query { nodes: [Node], open: Int }
   interface Node { text: String }
   type A implements Node { text: String }`,
  { 'Node.text': needs('second'), 'A.text': needs('first') },
  {},
)
const code = 'UNAUTHORIZED_FIELD_OR_TYPE'
const errorAt = (path: (string | number)[], withCode = code) =>
  new GraphQLError('of a subgraph', { path, extensions: { code: withCode } })

describe('an answer', () => {
  const query = '{ nodes { text ... on A { text } } }'
  const data = { nodes: [{ __typename: 'A', text: null }, { __typename: 'B' }] }

  it('says of one place once that it is denied, also where a subgraph says it, too', async () => {
    const authorization = await graph.authorize(person(), query)
    const errors = [errorAt(['nodes', 0, 'text']), errorAt(['nodes', 0, 'text'], 'SUBGRAPH_TIMEOUT')]
    const answer = await authorization?.answer({}, async () => ({ data, errors }))
    expect(answer?.data).toEqual({ nodes: [{ text: null }, { text: null }] })
    expect(answer?.errors?.map(({ path, extensions }) => [path, extensions['code']])).toEqual([
      [['nodes', 0, 'text'], 'SUBGRAPH_TIMEOUT'],
      [['nodes', 'text'], code],
    ])
  })

  it('that is null as a whole says all the same what was denied', async () => {
    const errors = [errorAt(['open'], 'SUBGRAPH_TIMEOUT')]
    const authorization = await graph.authorize(
      person(),
      'query ($on: Boolean!) { open closed closed2: closed @skip(if: $on) }',
    )
    const answer = await authorization?.answer({ on: true }, async () => ({ data: null, errors }))
    expect(answer?.data).toBeNull()
    expect(answer?.errors?.map(({ path }) => path)).toEqual([['open'], ['closed']])
  })

  it('is passed on where nothing was executed, or null already', async () => {
    const errors = [new GraphQLError('cannot be planned')]
    const authorization = await graph.authorize(person(), '{ closed a { id } }')
    expect(await authorization?.answer({}, async () => ({ errors }))).toEqual({ errors })
    const extensions = { valueCompletion: [] }
    const answer = await authorization?.answer({}, async () => ({ data: { a: null }, extensions }))
    expect(answer).toMatchObject({ data: { closed: null, a: null }, errors: [{ path: ['closed'] }], extensions })
  })

  it('says what GraphQL finds wrong with what is in it', async () => {
    const authorization = await graph.authorize(person(), '{ closed a { open } }')
    const answer = await authorization?.answer({}, async () => ({ data: { a: { open: null } } }))
    expect(answer?.data).toEqual({ closed: null, a: null })
    expect(answer?.errors?.map(({ path, message }) => [path, message])).toEqual([
      [['a', 'open'], 'Cannot return null for non-nullable field A.open.'],
      [['closed'], expect.any(String)],
    ])
    const sound = await authorization?.answer({}, async () => ({ data: { a: { open: 1 } } }))
    expect(sound?.errors?.map(({ path }) => path)).toEqual([['closed']])
  })

  it('says the first of several reasons', async () => {
    const query = '{ nodes { ... on A { text } text } }'
    const authorization = await two.authorize(person(), query)
    const answer = await authorization?.answer({}, async () => ({ data: { nodes: [{ __typename: 'A' }] } }))
    expect(answer?.errors?.map(({ extensions }) => extensions['requiredScopes'])).toEqual([[['first']]])
  })

  it('has no errors where nothing that was denied is in it', async () => {
    const authorization = await graph.authorize(person(), query)
    expect(await authorization?.answer({}, async () => ({ data: { nodes: [] } }))).toEqual({ data: { nodes: [] } })
  })

  it('does not report once more what a subgraph said of an argument', async () => {
    const query = 'query ($n: Int) { closed given(n: $n) }'
    const errors = [errorAt(['given'], 'BAD_USER_INPUT')]
    const authorization = await graph.authorize(person(), query, null, { n: null })
    const answer = await authorization?.answer({ n: null }, async () => ({ data: { given: null }, errors }))
    expect(answer?.data).toEqual({ closed: null, given: null })
    expect(answer?.errors?.map(({ path, extensions }) => [path, extensions['code']])).toEqual([
      [['given'], 'BAD_USER_INPUT'],
      [['closed'], code],
    ])
  })

  it('keeps the order and the values that the operation has', async () => {
    const authorization = await graph.authorize(person(), '{ closed a { open id } x: closed b: a { id } }')
    const answer = await authorization?.answer({}, async () => ({ data: { b: { id: '2' }, a: { id: '1', open: 5 } } }))
    expect(JSON.stringify(answer?.data)).toBe('{"closed":null,"a":{"open":5,"id":"1"},"x":null,"b":{"id":"2"}}')
  })
})
