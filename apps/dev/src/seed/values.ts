import type { Faker } from '@faker-js/faker'

/** "Now" in the data: nothing in it is later than a delivery that is expected. */
export const referenceDate = Date.UTC(2026, 10, 1, 12)
/** When the data begins. */
export const firstDate = Date.UTC(2025, 0, 1, 8)

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour

/** ISO 8601 of milliseconds since the epoch. */
export const iso = (time: number): string => new Date(time).toISOString()

/** Exact decimal text of cents: amounts are whole numbers until they are written. */
export function decimal(cents: number): string {
  const digits = String(Math.abs(cents)).padStart(3, '0')
  return `${cents < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** Makes ids such as `ord_7Kx2mQ9a`, each once. */
export function createIds(faker: Faker, prefix: string, length: number): () => string {
  const made = new Set<string>()
  return () => {
    let id: string
    do id = `${prefix}_${faker.string.alphanumeric(length)}`
    while (made.has(id))
    made.add(id)
    return id
  }
}

/** A whole minute between two moments, both in milliseconds since the epoch. */
export function minuteBetween(faker: Faker, from: number, to: number): number {
  return Math.floor(faker.number.int({ min: from, max: to }) / minute) * minute
}
