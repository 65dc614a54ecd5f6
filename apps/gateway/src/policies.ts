import { signedInWithin, type Policies } from '@behalf/identity'

/** By the names that subgraphs use in `@policy`; each decides it again for its own fields. */
export const policies: Policies = {
  recent_sign_in: signedInWithin(3600),
}
