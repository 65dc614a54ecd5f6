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
    'userIDs',
    'userUUIDs',
    'userid',
    'customerid',
    'userId_in',
    'userIdNotIn',
    'userId2',
    'emailContains',
    'Tenant',
    'UserId',
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
    'orderId_in',
    'orderIDs',
    'userAgent',
    'status_in',
    'line2',
    'notIn',
    'list',
  ])('%s does not', (name) => expect(says(name)).toBe(false))
})

describe('snakeCase', () => {
  it.each([
    ['accountNumber', 'account_number'],
    ['userID', 'user_id'],
    ['URLPath', 'url_path'],
    ['userIDs', 'user_ids'],
    ['IDsOfUser', 'ids_of_user'],
    ['HTTPServer', 'http_server'],
    ['a-b c', 'a_b_c'],
  ])('%s', (name, snake) => expect(snakeCase(name)).toBe(snake))
})
