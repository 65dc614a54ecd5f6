import { describe, expect, it } from 'vitest'
import { snakeCase, subjectNames } from './subject-names.ts'

describe('subjectNames', () => {
  const says = subjectNames([/^member_card$/])
  it.each([
    'userId',
    'user_id',
    'UserID',
    'tenant_id',
    'tenantId',
    'email',
    'customerEmail',
    'accountNumber',
    'customerId',
    'ownerId',
    'onBehalfOf',
    'impersonate',
    'ownerAccountId',
    'orgId',
    'organisationId',
    'username',
    'memberCard',
    'userIds',
    'iban',
  ])('%s names somebody', (name) => expect(says(name)).toBe(true))
  it.each([
    'id',
    'orderId',
    'payeeId',
    'first',
    'after',
    'reason',
    'amount',
    'idempotencyKey',
    'text',
    'status',
    'used',
    'emailing',
    'subjectLine',
    'productNumber',
  ])('%s does not', (name) => expect(says(name)).toBe(false))
})

describe('snakeCase', () => {
  it.each([
    ['accountNumber', 'account_number'],
    ['userID', 'user_id'],
    ['URLPath', 'url_path'],
    ['a-b c', 'a_b_c'],
  ])('%s', (name, snake) => expect(snakeCase(name)).toBe(snake))
})
