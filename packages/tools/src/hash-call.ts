import { createHash } from 'node:crypto'
import type { ToolDefinition } from '@behalf/identity'
import canonicalize from 'canonicalize'

/**
 * What an approval is of: base64url SHA-256 of the RFC 8785 form of tool, version and arguments as validated, which
 * keeps out integers that have no form of their own.
 */
export function hashCall({ name, version }: Pick<ToolDefinition, 'name' | 'version'>, values: object): string {
  const text = canonicalize({ tool: name, toolVersion: version, arguments: values })
  if (text === undefined) throw new TypeError('There is no JSON for these arguments.')
  return createHash('sha256').update(text).digest('base64url')
}
