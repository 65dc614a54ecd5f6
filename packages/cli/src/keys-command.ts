import { deriveContextKeys } from '@behalf/identity'
import type { Terminal } from './run.ts'

export function keysCommand(
  options: { readonly receiver: string; readonly epoch: string; readonly rootKey: string | null },
  terminal: Terminal,
): number {
  const epoch = Number(options.epoch)
  const faults = [
    ...(options.rootKey === null ? ['BEHALF_ROOT_KEY must be set: 32 bytes, base64url.'] : []),
    ...(/^\d{1,9}$/.test(options.epoch) ? [] : ['--epoch must be a whole number from 0.']),
    ...(/^[a-z][a-z0-9-]*$/.test(options.receiver) ? [] : ['The receiver must be the name of a subgraph, such as orders.']),
  ]
  if (options.rootKey === null || faults.length > 0) {
    faults.forEach((fault) => terminal.error(fault))
    return 2
  }
  terminal.out(deriveContextKeys(options.rootKey, options.receiver, epoch > 0 ? [epoch, epoch - 1] : [epoch]))
  return 0
}
