/**
 * @param loopback - whether plain http is accepted of this machine
 * @throws {TypeError} for a URL whose answers anybody on the way could have written
 */
export function requireSecure(url: URL, { loopback = true } = {}): void {
  if (url.protocol !== 'https:' && !(loopback && isLoopback(url))) throw new TypeError(`${url.origin} must be https.`)
}

const isLoopback = ({ protocol, hostname }: URL) =>
  protocol === 'http:' && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname))
