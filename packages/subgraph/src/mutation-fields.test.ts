import { graphql } from 'graphql'
import { expect, it } from 'vitest'
import { buildSchema } from './build-schema.ts'
import { defineLoader } from './define-loader.ts'
import { ada, identityOf, links } from './fixtures.ts'
import { protectSchema } from './protect-schema.ts'
import { RequestContext } from './request-context.ts'
import type { RequestTransaction } from './request-transaction.ts'

it('[P8] a Mutation field is undone by itself, whatever its rules, and sees nothing that was loaded before it', async () => {
  const fields: string[] = []
  const loads: unknown[] = []
  const loader = defineLoader(async (keys: readonly number[]) => {
    loads.push(keys)
    return keys
  })
  const one = async (_parent: unknown, _args: unknown, context: object) => {
    fields.push('resolver')
    return loader(context).load(1)
  }
  const own = protectSchema(
    buildSchema(
      'notes',
      `${links} type Query { one: Int @authenticated } type Mutation { one: Int @agent(access: ALLOW) }`,
      {
        Query: { one },
        Mutation: { one },
      },
    ),
  )
  const field = (work: () => Promise<unknown>) => Promise.resolve(fields.push('field')).then(work)
  const verified = { identity: await identityOf(ada), request: '', jti: null, until: null, ticket: null }
  const run = (source: string, open: object | null) => {
    const contextValue = new RequestContext(verified, open as RequestTransaction<unknown> | null, () => undefined)
    return graphql({ schema: own, source, contextValue })
  }
  expect(await run('mutation { a: one b: one }', { field })).toEqual({ data: { a: 1, b: 1 } })
  expect(fields).toEqual(['field', 'resolver', 'field', 'resolver'])
  expect(loads).toEqual([[1], [1]])
  expect(await run('mutation { one }', null)).toEqual({ data: { one: 1 } })
  fields.length = 0
  expect(await run('{ a: one b: one }', { field })).toEqual({ data: { a: 1, b: 1 } })
  expect(fields).toEqual(['resolver', 'resolver'])
})
