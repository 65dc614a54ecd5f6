import { describe, expect, it } from 'vitest'
import { composed, refused } from './fixtures.ts'

const ofUser = { 'Query.user(id:)': [{ claim: 'sub', unless: [['users:read']] }] }

describe('[P6] who may be named', () => {
  it('is in the graph by coordinate, of arguments and input fields', async () => {
    const { graph, warnings } = await composed({
      orders: `extend type Query { search(where: Where, tenant: ID @subject(claim: "tenant")): Int other(userId: ID @notSubject(reason: "x")): Int }
        input Where { owner: ID @subject and: Where } extend type Order { notes(by: ID @subject): Int }`,
    })
    expect(graph.subjects).toEqual({
      ...ofUser,
      'Order.notes(by:)': [{ claim: 'sub', unless: [] }],
      'Query.search(tenant:)': [{ claim: 'tenant', unless: [] }],
      'Where.owner': [{ claim: 'sub', unless: [] }],
    })
    expect(Object.keys(graph.subjects)).toEqual(Object.keys(graph.subjects).toSorted())
    expect(warnings).toEqual([])
  })

  it('is what every subgraph says, with a warning where they differ', async () => {
    const shared = (argument: string) => `shared(of: ID ${argument}): Int @shareable`
    const both = (a: string, b: string) =>
      composed({ orders: `extend type Query { ${shared(a)} }`, loyalty: `type Query { ${shared(b)} }` })
    const differing = await both('@subject(unless: [["a"]])', '@subject(unless: [["b"]])')
    expect(differing.graph.subjects['Query.shared(of:)']).toEqual([
      { claim: 'sub', unless: [['a']] },
      { claim: 'sub', unless: [['b']] },
    ])
    expect(differing.warnings).toMatchObject([{ code: 'RULES_DISAGREE', file: expect.stringContaining('apps/') }])
    const silent = await both('@subject', '')
    expect(silent.graph.subjects['Query.shared(of:)']).toEqual([{ claim: 'sub', unless: [] }])
    expect(silent.warnings).toMatchObject([{ code: 'RULES_DISAGREE' }])
    const agreed = await both('@subject', '@subject')
    expect(agreed.graph.subjects['Query.shared(of:)']).toEqual([{ claim: 'sub', unless: [] }])
    expect(agreed.warnings).toEqual([])
  })

  it('passes between an interface and the objects behind it', async () => {
    const sdl = (ofInterface: string, ofNote: string) => `
      interface Node { f(of: ID ${ofInterface}): Int } interface Other { f(of: ID): Int }
      type Note implements Node & Other @public { f(of: ID ${ofNote}): Int } type Leaf implements Other @public { f(of: ID): Int }
      extend type Query { node: Node other: Other leaf: Leaf }`
    const subjectsOf = async (...parts: [string, string]) =>
      Object.keys((await composed({ orders: sdl(...parts) })).graph.subjects).filter(
        (each) => each !== 'Query.user(id:)',
      )
    const everywhere = ['Node.f(of:)', 'Note.f(of:)', 'Other.f(of:)']
    expect(await subjectsOf('@subject', '')).toEqual(everywhere)
    expect(await subjectsOf('', '@subject')).toEqual(everywhere)
    expect(await subjectsOf('', '')).toEqual([])
  })

  it('is a claim that there is', async () => {
    const sdl = (claim: string) => ({ orders: `extend type Query { a(of: ID @subject(claim: "${claim}")): Int }` })
    expect(await refused(sdl('email'))).toMatchObject([
      { code: 'CLAIM_UNKNOWN', file: 'apps/orders/src/schema.graphql' },
    ])
    await composed(sdl('tenant'))
  })
})
