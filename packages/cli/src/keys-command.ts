import { acceptedEpochs, deriveContextKeys } from '@behalf/identity'
import type { Terminal } from './run.ts'

export function keysCommand(
  options: { readonly receiver: string; readonly epoch: string; readonly rootKey: string | null },
  terminal: Terminal,
): number {
  if (options.rootKey === null) {
    terminal.error('BEHALF_ROOT_KEY must be set: 32 random bytes as base64url.')
    return 2
  }
  const epoch = Number(/^\d{1,9}$/.test(options.epoch) ? options.epoch : NaN)
  try {
    terminal.out(deriveContextKeys(options.rootKey, options.receiver, acceptedEpochs(epoch)))
    return 0
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    terminal.error(error.message)
    return 2
  }
}
