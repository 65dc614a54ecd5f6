import { createHash } from 'node:crypto'
import { AppError, type ToolDefinition } from '@behalf/identity'
import canonicalize from 'canonicalize'

/**
 * What an approval is of: base64url SHA-256 of the RFC 8785 form of tool, version and arguments as validated, which
 * keeps out integers that have no form of their own.
 */
export function hashCall({ name, version }: Pick<ToolDefinition, 'name' | 'version'>, values: object): string {
  const text = canonical({ tool: name, toolVersion: version, arguments: values })
  return createHash('sha256').update(text).digest('base64url')
}

/** Half a surrogate pair has no form: it could not be told from another. */
function canonical(value: object): string {
  try {
    return canonicalize(value) ?? ''
  } catch (cause) {
    throw new AppError('TOOL_ARGUMENTS_INVALID', undefined, { cause })
  }
}
