import { describe, expect, it } from 'vitest'
import { composed, header } from '../fixtures.ts'
import { changeCodes } from './change.ts'
import { compareGraphs } from './compare-graphs.ts'

const sdl = `
type Query {
  viewer: User
  points(of: ID! @subject, kind: Kind = GOLD): Points @requiresScopes(scopes: [["points:read", "more"], ["all"]])
  prizes: [Prize!] @authenticated
  news: News @policy(policies: [["open"]])
  quiet: String
}
type Mutation {
  redeem(input: Redeem!): Points @agent(access: APPROVE)
  greet(name: String!): Points @agent(access: ALLOW)
  start(text: String!): String @delegates(agent: "helper") @agent(access: DENY)
}
input Redeem { amount: Int! note: String forUser: ID @subject(unless: [["users:write"]]) }
enum Kind { GOLD SILVER }
type User @key(fields: "id") @owner(field: "id", unless: [["users:read"]]) { id: ID! points: Points }
type Points @owner(field: "userId", unless: [["users:read"]]) { balance: Int level: Kind expires: String parts: [Part!]! }
type Part @owned(through: "parent") { amount: Int! }
type Prize @public { label: String! }
type News @public { text: String }
`
const head = header.replace('@link', '@identity(facts: ["tier"]) @link')
/** Another subgraph, so that what one of them says can be told from the graph's. */
const decisions = `${header}
type Query { decision(id: ID!): String }
type Mutation {
  decide(id: ID!, argumentsHash: String!, decision: Decision!): String @approves @agent(access: DENY)
  close(id: ID!, argumentsHash: String!, decision: Decision!): String @agent(access: DENY)
}
enum Decision { APPROVE REJECT }
`
const tools = {
  get_points: `"""Points of the caller."""
query get_points($of: ID! @subject, $kind: Kind) @tool(examples: ["points"]) { points(of: $of, kind: $kind) { balance level } }`,
  list_prizes: `"""Prizes."""\nquery list_prizes @tool { prizes @include(if: true) { label } }`,
  redeem: `"""Spends points."""
mutation redeem($amount: Int!) @tool(summary: "Spend {amount}") { redeem(input: { amount: $amount }) { balance } }`,
  greet: `"""Says hello."""\nmutation greet($name: String!) @tool { greet(name: $name) { balance } }`,
  get_news: `"""News."""\nquery get_news @tool { news { text } }`,
}

type Texts = Readonly<Record<'loyalty' | 'decisions' | keyof typeof tools, string>>
const texts: Texts = { loyalty: head + sdl.replaceAll('prizes: [Prize!]', 'prizes: Prize'), decisions, ...tools }

async function graphOf({ loyalty, decisions: other, ...operations }: Partial<Texts>) {
  const app = (name: string, port: number) => JSON.stringify({ name, port, schema: 'schema.graphql' })
  const { graph } = await composed({
    files: {
      // Nothing of the fixtures' own.
      'apps/identity/src/schema.graphql': `${header} type Query { hello: String }`,
      'apps/orders/src/schema.graphql': `${header} type Query { more: String }`,
      'apps/loyalty/behalf.json': app('loyalty', 4105),
      'apps/loyalty/schema.graphql': loyalty ?? '',
      'apps/decisions/behalf.json': app('decisions', 4106),
      'apps/decisions/schema.graphql': other ?? '',
      ...Object.fromEntries(
        Object.entries(operations).map(([name, text]) => [`apps/loyalty/tools/${name}.graphql`, text]),
      ),
    },
  })
  return graph
}

const base = await graphOf(texts)

type Edit = readonly [in_: keyof Texts, text: string, by: string]
async function changed(...edits: readonly Edit[]) {
  const now: Record<keyof Texts, string> = { ...texts }
  for (const [where, text, by] of edits) {
    expect(now[where]).toContain(text)
    now[where] = now[where].replaceAll(text, by)
  }
  return graphOf(now)
}

/** What the change is from the one side, and from the other. */
async function bothWays(...edits: readonly Edit[]) {
  const other = await changed(...edits)
  const brief = (changes: ReturnType<typeof compareGraphs>) =>
    changes.map(({ level, code, at }) => `${level} ${code} ${at}`)
  return { forth: brief(compareGraphs(base, other)), back: brief(compareGraphs(other, base)) }
}

const planted: readonly { name: string; edits: readonly Edit[]; forth: readonly string[]; back: readonly string[] }[] =
  [
    {
      name: 'a field that is gone',
      edits: [['loyalty', 'expires: String ', '']],
      forth: ['BREAKING FIELD_REMOVED Points.expires'],
      back: [],
    },
    {
      name: 'a type that is gone',
      edits: [
        ['loyalty', 'parts: [Part!]!', ''],
        ['loyalty', 'type Part @owned(through: "parent") { amount: Int! }', ''],
      ],
      forth: ['BREAKING TYPE_REMOVED Part', 'BREAKING FIELD_REMOVED Points.parts'],
      back: [],
    },
    {
      name: 'an argument that is gone',
      edits: [
        ['loyalty', ', kind: Kind = GOLD)', ')'],
        ['get_points', ', $kind: Kind)', ')'],
        ['get_points', ', kind: $kind)', ')'],
      ],
      forth: ['BREAKING ARG_REMOVED Query.points', 'BREAKING TOOL_INPUT tool get_points'],
      back: ['NOTED OPTIONAL_ARG_ADDED Query.points', 'NOTED TOOL_INPUT tool get_points'],
    },
    {
      name: 'a value of an enum that is gone',
      edits: [['loyalty', 'GOLD SILVER', 'GOLD']],
      forth: [
        'BREAKING VALUE_REMOVED_FROM_ENUM Kind',
        'BREAKING TOOL_INPUT tool get_points',
        'NOTED TOOL_OUTPUT tool get_points',
      ],
      back: ['NOTED VALUE_ADDED_TO_ENUM Kind', 'NOTED TOOL_INPUT tool get_points', 'NOTED TOOL_OUTPUT tool get_points'],
    },
    {
      name: 'a field that anybody may ask for',
      edits: [['loyalty', 'Prize @authenticated', 'Prize']],
      forth: ['LOOSENED AUTHENTICATION Query.prizes'],
      back: ['BREAKING AUTHENTICATION Query.prizes'],
    },
    {
      name: 'an alternative of scopes',
      edits: [['loyalty', '["all"]', '["all"], ["points:read"]']],
      forth: ['LOOSENED SCOPES Query.points', 'LOOSENED TOOL_SCOPES tool get_points'],
      back: ['BREAKING SCOPES Query.points', 'BREAKING TOOL_SCOPES tool get_points'],
    },
    {
      name: 'no scopes at all',
      edits: [['loyalty', '@requiresScopes(scopes: [["points:read", "more"], ["all"]])', '']],
      forth: [
        'LOOSENED AUTHENTICATION Query.points',
        'LOOSENED SCOPES Query.points',
        'LOOSENED TOOL_SCOPES tool get_points',
      ],
      back: [
        'BREAKING SCOPES Query.points',
        'BREAKING TOOL_SCOPES tool get_points',
        ...['all', 'more', 'points:read'].map(() => 'NOTED SUBGRAPH_SCOPES subgraph loyalty'),
      ],
    },
    {
      name: 'no policy',
      edits: [['loyalty', '@policy(policies: [["open"]])', '']],
      forth: ['LOOSENED POLICIES Query.news', 'LOOSENED TOOL_POLICIES tool get_news'],
      back: ['BREAKING POLICIES Query.news', 'BREAKING TOOL_POLICIES tool get_news'],
    },
    {
      name: 'a rule of a type',
      edits: [['loyalty', 'type Prize @public {', 'type Prize @public @requiresScopes(scopes: [["prizes"]]) {']],
      forth: [
        'BREAKING SCOPES Prize',
        'BREAKING SCOPES Query.prizes',
        'BREAKING TOOL_SCOPES tool list_prizes',
        'NOTED SUBGRAPH_SCOPES subgraph loyalty',
      ],
      back: [
        'LOOSENED AUTHENTICATION Prize',
        'LOOSENED SCOPES Prize',
        'LOOSENED SCOPES Query.prizes',
        'LOOSENED TOOL_SCOPES tool list_prizes',
      ],
    },
    {
      name: 'an agent that need not ask',
      edits: [
        ['loyalty', 'Points @agent(access: APPROVE)', 'Points @agent(access: ALLOW)'],
        ['redeem', '@tool(summary: "Spend {amount}")', '@tool'],
      ],
      forth: [
        'LOOSENED AGENT_ACCESS Mutation.redeem',
        'LOOSENED TOOL_APPROVAL tool redeem',
        'NOTED TOOL_WORDS tool redeem',
      ],
      back: [
        'BREAKING AGENT_ACCESS Mutation.redeem',
        'BREAKING TOOL_APPROVAL tool redeem',
        'NOTED TOOL_WORDS tool redeem',
      ],
    },
    {
      name: 'what agents had no access to',
      edits: [['loyalty', 'quiet: String', 'quiet: String @agent(access: DENY)']],
      forth: ['BREAKING AGENT_ACCESS Query.quiet'],
      back: ['LOOSENED AGENT_ACCESS Query.quiet'],
    },
    {
      name: 'a field that starts no agent any more',
      edits: [['loyalty', '@delegates(agent: "helper") ', '']],
      forth: ['BREAKING DELEGATES Mutation.start'],
      back: ['LOOSENED DELEGATES Mutation.start'],
    },
    {
      name: 'a field that starts another agent',
      edits: [['loyalty', 'agent: "helper"', 'agent: "other"']],
      forth: ['LOOSENED DELEGATES Mutation.start'],
      back: ['LOOSENED DELEGATES Mutation.start'],
    },
    {
      name: 'another field by which people decide',
      edits: [
        ['decisions', '@approves @agent', '@agent'],
        [
          'decisions',
          'close(id: ID!, argumentsHash: String!, decision: Decision!): String',
          'close(id: ID!, argumentsHash: String!, decision: Decision!): String @approves',
        ],
      ],
      forth: ['LOOSENED APPROVES Mutation.close', 'BREAKING APPROVES Mutation.decide'],
      back: ['LOOSENED APPROVES Mutation.decide', 'BREAKING APPROVES Mutation.close'],
    },
    {
      name: 'an argument that need not be the caller',
      edits: [['loyalty', 'of: ID! @subject,', 'of: ID! @subject(unless: [["users:read"]]),']],
      forth: ['LOOSENED SUBJECT Query.points(of:)'],
      back: ['BREAKING SUBJECT Query.points(of:)'],
    },
    {
      name: 'an input field that may name nobody else',
      edits: [['loyalty', 'forUser: ID @subject(unless: [["users:write"]])', 'forUser: ID @subject']],
      forth: ['BREAKING SUBJECT Redeem.forUser'],
      back: ['LOOSENED SUBJECT Redeem.forUser', 'NOTED SUBGRAPH_SCOPES subgraph loyalty'],
    },
    {
      name: 'an argument of which nothing is said',
      edits: [
        ['loyalty', 'forUser: ID @subject(unless: [["users:write"]])', 'forUser: ID @notSubject(reason: "planted")'],
      ],
      forth: ['LOOSENED SUBJECT Redeem.forUser'],
      back: ['BREAKING SUBJECT Redeem.forUser', 'NOTED SUBGRAPH_SCOPES subgraph loyalty'],
    },
    {
      name: 'a type that lost its owner',
      edits: [
        ['loyalty', 'type Points @owner(field: "userId", unless: [["users:read"]])', 'type Points @public'],
        ['loyalty', 'type Part @owned(through: "parent")', 'type Part @public'],
      ],
      forth: ['LOOSENED OWNER Part', 'LOOSENED OWNER Points'],
      back: ['BREAKING OWNER Part', 'BREAKING OWNER Points'],
    },
    {
      name: 'a type whose owner is another',
      edits: [['loyalty', '@owner(field: "userId", unless', '@owner(field: "tenantId", claim: "tenant", unless']],
      forth: ['LOOSENED OWNER Points'],
      back: ['LOOSENED OWNER Points'],
    },
    {
      name: 'a type that more people see',
      edits: [
        [
          'loyalty',
          'type Points @owner(field: "userId", unless: [["users:read"]])',
          'type Points @owner(field: "userId", unless: [["users:read"], ["points:all"]])',
        ],
      ],
      forth: ['LOOSENED OWNER Points', 'NOTED SUBGRAPH_SCOPES subgraph loyalty'],
      back: ['BREAKING OWNER Points'],
    },
    {
      name: 'a type that only its owner sees',
      edits: [
        [
          'loyalty',
          'type Points @owner(field: "userId", unless: [["users:read"]])',
          'type Points @owner(field: "userId")',
        ],
      ],
      forth: ['BREAKING OWNER Points'],
      back: ['LOOSENED OWNER Points'],
    },
    {
      name: 'a fact that a subgraph is told',
      edits: [['loyalty', 'facts: ["tier"]', 'facts: ["tier", "email"]']],
      forth: ['LOOSENED FACTS subgraph loyalty'],
      back: ['NOTED FACTS subgraph loyalty'],
    },
    {
      name: 'a tool that changes something',
      edits: [
        [
          'greet',
          'mutation greet($name: String!) @tool { greet(name: $name) { balance } }',
          'query greet @tool { viewer { points { balance } } }',
        ],
      ],
      forth: ['BREAKING TOOL_INPUT tool greet', 'BREAKING TOOL_OUTPUT tool greet', 'NOTED TOOL_OUTPUT tool greet'],
      back: [
        'LOOSENED TOOL_EFFECT tool greet',
        'BREAKING TOOL_INPUT tool greet',
        'NOTED TOOL_INPUT tool greet',
        'BREAKING TOOL_OUTPUT tool greet',
        'NOTED TOOL_OUTPUT tool greet',
      ],
    },
    {
      name: 'a tool that says something else',
      edits: [
        ['get_news', 'News.', 'News, old and new.'],
        ['get_points', 'examples: ["points"]', 'examples: ["what do I have"]'],
      ],
      forth: ['NOTED TOOL_DESCRIPTION tool get_news', 'NOTED TOOL_WORDS tool get_points'],
      back: ['NOTED TOOL_DESCRIPTION tool get_news', 'NOTED TOOL_WORDS tool get_points'],
    },
    {
      name: 'a result with less in it',
      edits: [['get_points', '{ balance level }', '{ balance }']],
      forth: ['BREAKING TOOL_OUTPUT tool get_points'],
      back: ['NOTED TOOL_OUTPUT tool get_points'],
    },
  ]

describe('what differs between two graphs', () => {
  it('is nothing between a graph and itself', async () => {
    expect(compareGraphs(base, await graphOf(texts))).toEqual([])
  })

  it.each(planted)('is found: $name', async ({ edits, forth, back }) => {
    const found = await bothWays(...edits)
    expect(found.forth.toSorted()).toEqual(forth.toSorted())
    expect(found.back.toSorted()).toEqual(back.toSorted())
  })

  it('a tool, and a subgraph that is told something, that were not there', async () => {
    const { get_points: _one, ...others } = texts
    const without = await graphOf(others)
    expect(compareGraphs(base, without)).toMatchObject([
      { level: 'BREAKING', code: 'TOOL_REMOVED', at: 'tool get_points' },
    ])
    expect(compareGraphs(without, base)).toMatchObject([{ level: 'NOTED', code: 'TOOL_ADDED', at: 'tool get_points' }])
    const { loyalty: _other, ...subgraphs } = base.subgraphs
    expect(compareGraphs({ ...base, subgraphs }, base)).toMatchObject([{ level: 'LOOSENED', code: 'FACTS' }])
  })

  it('a variable that is no longer filled from the caller', async () => {
    const [first, ...tools] = base.tools.toSorted((a, b) => b.bindings.length - a.bindings.length)
    const unbound = { ...base, tools: [{ ...first!, bindings: [], version: 'other' }, ...tools] }
    expect(compareGraphs(base, unbound)).toMatchObject([{ level: 'LOOSENED', code: 'TOOL_BINDING' }])
    expect(compareGraphs(unbound, base)).toMatchObject([{ level: 'NOTED', code: 'TOOL_BINDING' }])
  })

  it('of every kind there is one here', () => {
    const seen = new Set(planted.flatMap(({ forth, back }) => [...forth, ...back]).map((each) => each.split(' ')[1]))
    for (const code of ['TOOL_REMOVED', 'TOOL_ADDED', 'TOOL_BINDING']) seen.add(code)
    expect(changeCodes.filter((code) => !seen.has(code))).toEqual([])
  })

  it('has what was loosened first, in words', async () => {
    const other = await changed(
      ['loyalty', 'expires: String ', ''],
      ['loyalty', '["all"]', '["all"], ["points:read"]'],
      ['get_news', 'News.', 'News, old and new.'],
    )
    expect(compareGraphs(base, other).map(({ level, message }) => [level, message])).toEqual([
      ['LOOSENED', 'Query.points asks for scopes all or points:read, and asked for scopes all or more + points:read.'],
      ['LOOSENED', 'get_points asks for scopes all or points:read, and asked for scopes all or more + points:read.'],
      ['BREAKING', 'Points.expires was removed.'],
      ['NOTED', 'A model reads of get_news: "News, old and new.".'],
    ])
  })
})
