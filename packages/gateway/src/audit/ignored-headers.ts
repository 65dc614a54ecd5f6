/** Ours, and what other systems say a caller with; nothing of it is read here. */
const claimed =
  /^(?:txn-token|workload-token|remote-user|x-(?:forwarded-|remote-|auth-request-|authenticated-)?(?:user|email|groups|roles|scopes|tenant|subject|actor|identity|preferred-username)(?:-[\w-]+)?)$/i
const maxNames = 10
const maxLength = 64

/** Names of the headers with which a client tried to say who calls; their values are nobody's business. */
export function ignoredHeaders(rawHeaders: readonly string[]): string[] {
  const names = new Set<string>()
  for (let index = 0; index < rawHeaders.length && names.size < maxNames; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length <= maxLength && claimed.test(name)) names.add(name.toLowerCase())
  }
  return [...names]
}
