/** Why, for the log: the chain of causes without their stacks; null where nothing more is known. */
export function describeCause(cause: unknown): string | null {
  if (!(cause instanceof Error)) return typeof cause === 'string' ? cause : null
  const deeper = describeCause(cause.cause)
  return deeper === null ? cause.message : `${cause.message}: ${deeper}`
}
