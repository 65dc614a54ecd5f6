import { createTreeWithEmptyWorkspace } from '@nx/devkit/testing'
import type { Tree } from '@nx/devkit'
import { beforeEach, describe, expect, it } from 'vitest'
import generateTool from './generator.ts'

let tree: Tree
beforeEach(() => {
  tree = createTreeWithEmptyWorkspace()
  tree.write('apps/loyalty/behalf.json', JSON.stringify({ name: 'loyalty', schema: 'schema.graphql', port: 4105 }))
  tree.write(
    'apps/loyalty/schema.graphql',
    `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
    type Query { "What there is to win." prizes(first: Int = 5, kind: Kind!): PrizeConnection }
    type Mutation { "Spends points." redeemPoints(input: Redeem!): Points }
    extend type User @key(fields: "id") { id: ID! "Points of the user." points: Points level: Level! }
    type Points { balance: Int! history(of: ID!): [Int!] owner: User }
    type PrizeConnection { edges: [PrizeEdge!]! pageInfo: PageInfo! }
    type PrizeEdge { node: Prize cursor: String! }
    type Prize { id: ID! label: String! }
    type PageInfo { hasNextPage: Boolean! }
    input Redeem { amount: Int! }
    enum Kind { THING TRIP }
    enum Level { GOLD }`,
  )
})
const tool = (name: string) => tree.read(`apps/loyalty/tools/${name}.graphql`, 'utf8')?.replaceAll(/\s+/g, ' ').trim()

describe('the generator of tools', () => {
  it('asks for the field that the name ends with, for what it has, and not in circles', () => {
    generateTool(tree, { name: 'get_points', app: 'loyalty' })
    expect(tool('get_points')).toBe(
      '""" Points of the user. """ query get_points @tool(examples: ["get points"]) { viewer { points { balance } } }',
    )
    expect(tree.read('apps/loyalty/src/get-points.test.ts', 'utf8')).toContain("from './subgraph.ts'")
  })

  it('declares variables as the field does, with defaults', () => {
    generateTool(tree, { name: 'list_prizes', app: 'loyalty' })
    expect(tool('list_prizes')).toBe(
      '""" What there is to win. """ query list_prizes($first: Int = 5, $kind: Kind!) @tool(examples: ["list prizes"]) ' +
        '{ prizes(first: $first, kind: $kind) { edges { node { id label } cursor } pageInfo { hasNextPage } } }',
    )
  })

  it('says of a mutation what its user is asked', () => {
    generateTool(tree, { name: 'redeem_points', app: 'loyalty' })
    expect(tool('redeem_points')).toContain(
      '@tool(summary: "Redeem points, input {input}", examples: ["redeem points"])',
    )
    expect(tree.read('apps/loyalty/src/redeem-points.test.ts', 'utf8')).toContain('approval: expect.any(String)')
  })

  it('asks for a field that is named, or for the first', () => {
    generateTool(tree, { name: 'how_far', app: 'loyalty', field: 'level' })
    expect(tool('how_far')).toContain('{ viewer { level } }')
    generateTool(tree, { name: 'something', app: 'loyalty' })
    expect(tool('something')).toContain('{ viewer { points ')
  })

  it.each([
    [{ name: 'get_points', app: 'loyalty' }, 'There is a tool "get_points" already'],
    [{ name: 'other', app: 'nobody' }, 'There is no subgraph "nobody". There are: loyalty.'],
    [{ name: 'Other', app: 'loyalty' }, '"Other" is no name of a tool'],
    [
      { name: 'other', app: 'loyalty', field: 'none' },
      'There is no field "none". There are: User.points, User.level, Query.prizes, Mutation.redeemPoints.',
    ],
  ])('refuses %j, and writes nothing', (options, message) => {
    generateTool(tree, { name: 'get_points', app: 'loyalty' })
    const before = tree.listChanges().length
    expect(() => generateTool(tree, options)).toThrow(message)
    expect(tree.listChanges()).toHaveLength(before)
  })
})
