import type { FactValue } from '@behalf/identity'

/** What delivery costs and how long it takes. */
export interface DeliveryTerms {
  /** Exact decimal text. */
  readonly freeFrom: string
  readonly workingDays: number
}

const premium: DeliveryTerms = { freeFrom: '0.00', workingDays: 2 }
const everybody: DeliveryTerms = { freeFrom: '50.00', workingDays: 5 }

/** The terms for a tier; an unknown one is nothing special. */
export const deliveryTerms = (tier: FactValue | undefined): DeliveryTerms => (tier === 'premium' ? premium : everybody)
