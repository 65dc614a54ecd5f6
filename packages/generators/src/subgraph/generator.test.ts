import { createTreeWithEmptyWorkspace } from '@nx/devkit/testing'
import type { Tree } from '@nx/devkit'
import { isReceiverName } from '@behalf/identity'
import { beforeEach, describe, expect, it } from 'vitest'
import generateSubgraph from './generator.ts'

let tree: Tree
beforeEach(() => {
  tree = createTreeWithEmptyWorkspace()
})
const text = (path: string) => tree.read(path, 'utf8') ?? ''
function addApp(name: string, port: number, schema: string) {
  tree.write(`apps/${name}/behalf.json`, JSON.stringify({ name, schema: 'schema.graphql', port }))
  tree.write(`apps/${name}/schema.graphql`, schema)
}

describe('the generator of subgraphs', () => {
  it('writes an app whose names follow from its own', () => {
    generateSubgraph(tree, { name: 'gift_cards' })
    expect(JSON.parse(text('apps/gift_cards/behalf.json'))).toMatchObject({
      name: 'gift_cards',
      port: 4101,
      demoScopes: ['gift_cards:read', 'gift_cards:write'],
    })
    expect(text('apps/gift_cards/src/schema.graphql')).toContain('type GiftCardsNote @owner(field: "userId")')
    expect(text('apps/gift_cards/src/subgraph.ts')).toContain('export const giftCards =')
    const written = tree.listChanges().filter(({ path }) => path.startsWith('apps/'))
    expect(written.length).toBeGreaterThan(10)
    for (const { path, content } of written)
      expect(`${path} ${String(content)}`).not.toMatch(/<%|%>|__name__|__fileName__|\.template/)
  })

  it('gives it the next port, and the owner that `User` has elsewhere', () => {
    addApp('members', 4200, 'type User @key(fields: "id") @owner(field: "id", unless: [["users:read"]]) { id: ID! }')
    addApp('things', 4150, 'type Query { things: Int }')
    generateSubgraph(tree, { name: 'loyalty' })
    expect(JSON.parse(text('apps/loyalty/behalf.json'))).toMatchObject({ port: 4201 })
    expect(text('apps/loyalty/src/config.ts')).toContain('4201')
    expect(text('apps/loyalty/src/schema.graphql')).toContain(
      'type User @key(fields: "id") @owner(field: "id", unless: [["users:read"]]) {',
    )
  })

  it.each([
    ['an app that is there', 'loyalty', undefined, 'There is an app "loyalty" already'],
    ['the port of another', 'points', 4105, 'Port 4105 is that of loyalty'],
    ['a name that is none', 'Gift-Cards', undefined, '"Gift-Cards" is no name of a subgraph'],
  ])('refuses %s, and writes nothing', (_what, name, port, message) => {
    generateSubgraph(tree, { name: 'loyalty', port: 4105 })
    const before = tree.listChanges().length
    expect(() => generateSubgraph(tree, { name, ...(port && { port }) })).toThrow(message)
    expect(tree.listChanges()).toHaveLength(before)
  })

  it.each([
    'orders',
    'a',
    'a1_b',
    'a'.repeat(40),
    'a'.repeat(41),
    '1a',
    'a-b',
    'A',
    '',
    'pg_x',
    'pgx',
    'gateway',
    'model',
    'models',
  ])('takes the name %j as composition does', (name) => {
    let isTaken = false
    try {
      generateSubgraph(tree, { name })
    } catch {
      isTaken = true
    }
    expect(isTaken).toBe(!isReceiverName(name))
  })
})
