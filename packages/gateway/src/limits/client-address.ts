import ipaddr from 'ipaddr.js'

/**
 * Under which a client without a credential is counted: of IPv6 the network of 64 bits, since whoever has one of its
 * addresses has them all (RFC 6177); an IPv4 address in IPv6 is that address.
 *
 * @param text - an address, as a connection or a trusted proxy says it.
 */
export function clientAddress(text: string): string {
  if (!ipaddr.isValid(text)) return 'unknown'
  const address = ipaddr.process(text)
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`
}
