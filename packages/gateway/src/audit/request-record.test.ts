import { parse, type OperationDefinitionNode } from 'graphql'
import { expect, it } from 'vitest'
import type { Denial } from '../authorize/denial.ts'
import { type Hop, RequestRecord } from './request-record.ts'
import { executionOf } from './record-events.ts'

const hop: Hop = {
  to: 'orders',
  operation: 'query',
  facts: {},
  scopes: [],
  ticket: false,
  outcome: 'OK',
  errors: [],
  ms: 1,
}
const denial = (coordinate: string): Denial => ({
  coordinate,
  code: 'AGENT_DENIED',
  message: '',
  details: {},
  rule: '@agent(access: DENY)',
  cause: undefined,
  path: [],
  conditions: [],
})
const caller = { scopes: [] }

it('[P14] a request lists fifty hops and denials, and counts the others', () => {
  const record = new RequestRecord('t')
  for (let i = 0; i < 50; i++) {
    record.hop(hop)
    record.denied([denial(`Query.f${i}`)], caller)
  }
  expect(executionOf(record)).not.toHaveProperty('unlistedHops')
  expect(executionOf(record)).not.toHaveProperty('unlistedDenials')
  for (let i = 0; i < 60; i++) {
    record.hop(hop)
    record.denied([denial(`Query.f${i}`)], caller)
  }
  expect(record.hops).toHaveLength(50)
  expect([...record.denials]).toHaveLength(50)
  expect(executionOf(record)).toMatchObject({ unlistedHops: 60, unlistedDenials: 10 })
})

it("[P14] of a client's operation there is the name, of 128 characters", () => {
  const record = new RequestRecord('t')
  const nameOf = (name: string) => {
    record.resolved(parse(`query ${name} { a }`).definitions[0] as OperationDefinitionNode)
    return record.operation?.name
  }
  expect(nameOf('x'.repeat(5000))).toHaveLength(128)
  expect(nameOf('Mine')).toBe('Mine')
})
