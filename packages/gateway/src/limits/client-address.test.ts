import { expect, it } from 'vitest'
import { clientAddress } from './client-address.ts'

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
  ['::1', '::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['', 'unknown'],
  ['unknown', 'unknown'],
  ['192.0.2.1:8080', 'unknown'],
])('[P15] the client at %s is counted as %s', (text, expected) => {
  expect(clientAddress(text)).toBe(expected)
})
