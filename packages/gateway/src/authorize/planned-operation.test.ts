import { composeServices } from '@apollo/composition'
import { ApolloServer } from '@apollo/server'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { graphql, parse } from 'graphql'
import pino from 'pino'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createPlanGateway } from '../execute/plan/plan-gateway.ts'
import { readSubgraphResponse } from '../execute/subgraph-response.ts'
import { authorizeGateway } from './authorize-gateway.ts'
import { needs, person } from './fixtures.ts'

const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])'
const note = {
  __typename: 'Note',
  id: '1',
  text: 'a',
  any: { z: [1, { y: null }] },
  kind: 'X',
  numbers: [[1, null], null],
}
const vault = { __typename: 'Vault', id: '2', text: 'b', code: 7 }
const subgraphs: Readonly<Record<string, { typeDefs: string; resolvers: Record<string, unknown> }>> = {
  nodes: {
    typeDefs: `${link} type Query { nodes: [Node], found: [Found] } scalar Any enum Kind { X Y } union Found = Note | Vault
      interface Node { id: ID!, text: String, any: Any, kind: Kind }
      type Note implements Node @key(fields: "id") { id: ID!, text: String, any: Any, kind: Kind, numbers: [[Int]] }
      type Vault implements Node @key(fields: "id") { id: ID!, text: String, any: Any, kind: Kind, code: Int! }`,
    resolvers: { Query: { nodes: () => [note, vault, null], found: () => [vault, note] } },
  },
  extras: {
    typeDefs: `${link} type Note @key(fields: "id") { id: ID!, extra: String } type Vault @key(fields: "id") { id: ID!, extra: String }`,
    resolvers: { Note: { extra: () => 'of a note' }, Vault: { extra: () => 'of a vault' } },
  },
}
const rules = {
  'Node.text': needs('text'),
  'Vault.text': needs('text'),
  Vault: needs('vault'),
  'Note.extra': needs('extra'),
}

let server: ApolloServer
const asked: string[] = []
beforeAll(async () => {
  const { supergraphSdl = '' } = composeServices(
    Object.entries(subgraphs).map(([name, { typeDefs }]) => ({ name, url: 'http://none', typeDefs: parse(typeDefs) })),
  )
  const gateway = createPlanGateway({
    supergraph: supergraphSdl,
    subgraph({ name }) {
      const { typeDefs = '', resolvers = {} } = subgraphs[name] ?? {}
      const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: resolvers as never }])
      return {
        prepare: () => async (body) => {
          const { query: source, variables: variableValues } = JSON.parse(body) as { query: string; variables: object }
          asked.push(`${name} ${source}`)
          return readSubgraphResponse(
            200,
            JSON.stringify(await graphql({ schema, source, variableValues: { ...variableValues } })),
          )
        },
      }
    },
  })
  const mode = 'filter'
  const options = {
    rules,
    subjects: {},
    policies: {},
    mode,
    challengeOf: () => null,
    log: pino({ level: 'silent' }),
  } as const
  server = new ApolloServer({ gateway: authorizeGateway(gateway, options) })
  await server.start()
})
afterAll(() => server.stop())
beforeEach(() => void asked.splice(0))

async function ask(query: string, ...scopes: string[]) {
  const { body } = await server.executeOperation(
    { query },
    { contextValue: { principal: person(...scopes), record: { denied: () => undefined } } },
  )
  if (body.kind !== 'single') throw new TypeError('not answered at once')
  const { data, errors } = body.singleResult
  return { data, errors: errors?.map(({ path }) => path?.join('.')) }
}

const query = '{ nodes { id text any kind ... on Note { numbers extra } ... on Vault { code extra } } }'

it('[P6] objects of several types are planned, merged and completed without what is denied of each', async () => {
  const { id, any, kind, numbers } = note
  const allowed = { id, any, kind, numbers }
  expect(await ask(query)).toEqual({
    data: { nodes: [{ ...allowed, text: null, extra: null }, null, null] },
    errors: ['nodes.text', 'nodes.extra', 'nodes.code'],
  })
  expect(asked).toEqual(['nodes {nodes{__typename id any kind ...on Note{numbers}}}'])

  asked.length = 0
  expect(await ask(query, 'vault')).toEqual({
    data: {
      nodes: [
        { ...allowed, text: null, extra: null },
        { id: '2', text: null, any: null, kind: null, code: 7, extra: 'of a vault' },
        null,
      ],
    },
    errors: ['nodes.text', 'nodes.extra'],
  })
  expect(asked[1]).toMatch(/^extras .*{\.\.\.on Vault{extra}}}$/)

  expect(await ask(query, 'vault', 'text', 'extra')).toMatchObject({
    data: { nodes: [{ text: 'a', extra: 'of a note' }, { text: 'b' }, null] },
    errors: undefined,
  })

  // Not by the plan of somebody who may more.
  asked.length = 0
  expect((await ask(query)).data).toMatchObject({ nodes: [{ text: null, extra: null }, null, null] })
  expect(asked).toEqual(['nodes {nodes{__typename id any kind ...on Note{numbers}}}'])
})

it('an alias that looks like the type of an object shows nothing that is denied', async () => {
  for (const alias of ['__typename: text', '__typename: extra']) {
    const { data } = await ask(`{ found { ... on Note { ${alias} id } ... on Vault { ${alias} id } } }`)
    expect(JSON.stringify(data)).not.toMatch(/"(a|b|of a)/)
  }
})
