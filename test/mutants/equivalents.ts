import type { Equivalent } from './judge.ts'

/** Looked at one by one. An entry that fits no survivor any more fails the run. */
export const equivalents: readonly Equivalent[] = [
  {
    file: 'packages/identity/src/sign-context.ts',
    text: 'if (entry === undefined) {',
    original: 'entry === undefined',
    replacement: 'true',
    reason: "Derives a receiver's key for each token anew: the same key, only slower.",
  },
]
