import { auditServer } from 'graphql-http'
import { expect, it } from 'vitest'
import { startTestGateway } from '../fixtures/test-gateway.ts'

/** How many of each kind there are: what is left out of the audit would count for kept. */
const audits = { MUST: 13, SHOULD: 23, MAY: 25 }

it('is GraphQL over HTTP, by the audit of graphql-http: all that it MUST, SHOULD and MAY', async () => {
  await using gateway = await startTestGateway()
  const results = await auditServer({ url: `${gateway.url}/graphql`, fetchFn: fetch })
  const missed = results.filter(({ status }) => status !== 'ok').map(({ id, name }) => `${id} ${name}`)
  expect(missed).toEqual([])
  expect(Object.keys(audits).map((level) => results.filter(({ name }) => name.startsWith(level)).length)).toEqual(
    Object.values(audits),
  )
})
