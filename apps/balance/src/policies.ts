import { signedInWithin, type Policies } from '@behalf/identity'

/** What the schema asks for by `@policy`; the gateway decides the same before it asks. */
export const policies: Policies = {
  recent_sign_in: signedInWithin(3600),
}
