import type { Faker } from '@faker-js/faker'
import { demoUsers } from './demo-users.ts'
import { createIds } from './values.ts'

export interface User {
  readonly id: string
  readonly tenant: 'acme' | 'globex'
  readonly name: string
  readonly email: string
  readonly tier: 'basic' | 'premium' | 'support'
}

/** The demo users, and `count` customers more in both tenants. */
export function createUsers(faker: Faker, count: number): readonly User[] {
  const nextId = createIds(faker, 'usr', 8)
  const customers = Array.from({ length: count }, (_, index): User => {
    const tenant = faker.helpers.arrayElement(['acme', 'globex'] as const)
    const first = faker.person.firstName()
    const last = faker.person.lastName()
    const local = `${first}.${last}`.toLowerCase().replace(/[^a-z.]/g, '')
    return {
      id: nextId(),
      tenant,
      name: `${first} ${last}`,
      email: `${local}.${index + 1}@${tenant}.example`,
      tier: faker.number.int(99) < 20 ? 'premium' : 'basic',
    }
  })
  const known = demoUsers.map(({ subject, tenant, displayName, email, tier }): User => ({
    id: subject,
    tenant,
    name: displayName,
    email,
    tier,
  }))
  return [...known, ...customers]
}

/** ISO 4217 code of what a tenant's customers pay with. */
export const currencyOf = ({ tenant }: Pick<User, 'tenant'>): string => (tenant === 'acme' ? 'EUR' : 'USD')
